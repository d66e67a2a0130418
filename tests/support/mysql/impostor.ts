import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

const SSL_REQUEST_BYTES = 36
/** The capabilities of a MariaDB 10.11, in the three places of its greeting; the first clears MySQL's bit. */
const CAPABILITIES = { low: 0xfffe, high: 0x81bf, mariadb: 0x1d }

/**
 * A server that offers TLS with any certificate and then asks for the password: at once with the plugin `first`, and,
 * if given, again with `then`. It keeps all that it could decrypt.
 */
export async function openImpostor(
  certificate: { keyPath: string; certPath: string },
  first: string,
  then: string | null,
) {
  let decrypted = ''
  const sockets = new Set<Socket>()
  const tls = { isServer: true, key: readFileSync(certificate.keyPath), cert: readFileSync(certificate.certPath) }
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined))
    socket.write(greeting(first))
    socket.once('data', (chunk) => {
      socket.pause()
      // The request for TLS and the first bytes of TLS itself come together.
      if (chunk.length > SSL_REQUEST_BYTES) socket.unshift(chunk.subarray(SSL_REQUEST_BYTES))
      const secure = new TLSSocket(socket, tls)
      secure.on('error', () => undefined)
      secure.on('data', (data: Buffer) => {
        decrypted += data.toString('latin1')
        if (then !== null) secure.write(packet(3, Buffer.from(`\xfe${then}\0abcdefghijklmnopqrst\0`, 'latin1')))
      })
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    decrypted: () => decrypted,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function greeting(plugin: string): Buffer {
  const numbers = Buffer.alloc(22)
  numbers.writeUInt16LE(CAPABILITIES.low, 0)
  numbers.writeUInt16LE(CAPABILITIES.high, 5)
  numbers.writeUInt8(21, 7) // the length of the seed
  numbers.writeUInt8(CAPABILITIES.mariadb, 14)
  const afterNumbers = `ijklmnopqrst\0${plugin}\0`
  const beforeNumbers = '\x0a5.5.5-10.11.6-MariaDB\0\x01\0\0\0abcdefgh\0'
  return packet(
    0,
    Buffer.concat([Buffer.from(beforeNumbers, 'latin1'), numbers.subarray(0, 18), Buffer.from(afterNumbers, 'latin1')]),
  )
}

function packet(sequence: number, body: Buffer): Buffer {
  const header = Buffer.alloc(4)
  header.writeUIntLE(body.length, 0, 3)
  header.writeUInt8(sequence, 3)
  return Buffer.concat([header, body])
}
