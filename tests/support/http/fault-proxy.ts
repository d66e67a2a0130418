import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** Stands between a process and its server, and can take the line from under them without a word to either. */
export type FaultProxy = AsyncDisposable & {
  url: string
  /** How many connections were made so far. */
  connections: () => number
  /** Whether some connection has sent this text. */
  hasSeen: (text: string) => boolean
  /**
   * From now on every connection that has sent this text is half-open: the proxy swallows the bytes of both ends, and
   * neither learns of it. New connections are made and stay silent. The others work as before.
   */
  silence: (text: string) => void
}

type Line = { client: Socket; server: Socket; sent: string; isSilent: boolean }

/** So many of its first bytes identify the purpose of a connection. */
const REMEMBERED_CHARS = 10_000

export async function openFaultProxy(serverUrl: string): Promise<FaultProxy> {
  const target = new URL(serverUrl)
  const lines: Line[] = []
  let isSilentForNew = false

  const proxy = createServer((client) => {
    const server = connect({ host: target.hostname, port: Number(target.port) })
    const line: Line = { client, server, sent: '', isSilent: isSilentForNew }
    lines.push(line)
    client.on('data', (bytes) => {
      if (line.isSilent) return
      if (line.sent.length < REMEMBERED_CHARS) line.sent += bytes.toString('latin1')
      server.write(bytes)
    })
    server.on('data', (bytes) => void (line.isSilent || client.write(bytes)))
    for (const [end, other] of [
      [client, server],
      [server, client],
    ] as const) {
      end.on('error', () => {})
      end.on('close', () => void (line.isSilent || other.destroy()))
    }
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')

  const url = new URL(serverUrl)
  url.host = `127.0.0.1:${(proxy.address() as AddressInfo).port}`
  return {
    url: url.href,
    connections: () => lines.length,
    hasSeen: (text) => lines.some(({ sent }) => sent.includes(text)),
    silence(text) {
      isSilentForNew = true
      for (const line of lines) line.isSilent ||= line.sent.includes(text)
    },
    async [Symbol.asyncDispose]() {
      for (const { client, server } of lines) {
        client.destroy()
        server.destroy()
      }
      proxy.close()
      await once(proxy, 'close')
    },
  }
}
