import { connect, type Socket } from 'node:net'

const HEADER_BYTES = 4
const PROTOCOL_10 = 10
/** Behind the version's end: its NUL, the thread id (4), eight bytes of seed and a filler. */
const VERSION_END_TO_CAPABILITIES = 14
const SOME_MYSQL = '8.0.0'
/** Set by MySQL, clear on MariaDB. */
const CAPABILITY_MYSQL = 1

/**
 * The socket for a connection whose certificate must be verified: it makes every server look like MySQL to the driver.
 * For a server that calls itself MariaDB the driver turns Node's verification off, logs in, and only then looks at the
 * certificate; if the server requests mysql_clear_password, the driver sends the password itself. The greeting is not
 * encrypted, so a man in the middle can say MariaDB. For MySQL, Node refuses the certificate before a byte of the login
 * is written.
 */
export function openVerifiedSocket(host: string, port: number): Socket {
  const socket = connect(port, host)
  // Before the driver's own listener, which is given the same buffer.
  socket.once('data', (greeting: Buffer) => {
    if (presentAsMysql(greeting)) return
    // To the driver this is the length of a packet whose rest is still to come.
    greeting.fill(0xff)
    socket.destroy(new Error('the greeting is not that of a MySQL or MariaDB server'))
  })
  return socket
}

/** Rewrites a server's greeting in place. False when it is not one whole greeting; an error packet is left as it is. */
export function presentAsMysql(packet: Buffer): boolean {
  if (packet.length < HEADER_BYTES + 1 || packet.length !== HEADER_BYTES + packet.readUIntLE(0, 3)) return false
  const protocol = packet.readUInt8(HEADER_BYTES)
  if (protocol === 0xff) return true
  const version = HEADER_BYTES + 1
  const versionEnd = packet.indexOf(0, version)
  const capabilities = versionEnd + VERSION_END_TO_CAPABILITIES
  if (protocol !== PROTOCOL_10 || versionEnd - version < SOME_MYSQL.length || capabilities >= packet.length)
    return false
  packet.fill('-', version, versionEnd)
  packet.write(SOME_MYSQL, version, 'latin1')
  packet.writeUInt8(packet.readUInt8(capabilities) | CAPABILITY_MYSQL, capabilities)
  return true
}
