import type { Log } from './logger.js'

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i

/** Whether a host name means this machine: such traffic passes no network, and no other machine can listen. */
export const isLoopback = (host: string): boolean => LOOPBACK.test(host)

/** The servers that a process connects to. */
export type Servers = {
  redis?: { nodes: readonly { host: string }[]; tls: boolean }
  database?: { host: string; tls: false | object }
}

export type ClearText = { event: 'redis.clear_text' | 'mysql.clear_text'; host: string; message: string }

/** The servers that are reached over a network without encryption. */
export function clearTextTo({ redis, database }: Servers): ClearText[] {
  const node = redis?.tls === false ? redis.nodes.find(({ host }) => !isLoopback(host)) : undefined
  const found: ClearText[] = []
  if (node) {
    const message = 'events and the password travel to Redis in clear text: use rediss://, or a network of your own'
    found.push({ event: 'redis.clear_text', host: node.host, message })
  }
  if (database?.tls === false && !isLoopback(database.host)) {
    const message = 'mirrored data travels to MySQL in clear text: use sslaccept=strict, or a private network'
    found.push({ event: 'mysql.clear_text', host: database.host, message })
  }
  return found
}

/** Logged at each start, because a hasty first setup is rarely reviewed. */
export function warnOfClearText(log: Log, servers: Servers): void {
  for (const { message, ...fields } of clearTextTo(servers)) log.warn(fields, message)
}
