import { createConnection } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { AbstractConnector, type Redis, type RedisOptions } from 'ioredis'
import {
  HANDSHAKE_MS,
  RECONNECT_FIRST_MS,
  ROLE_BACKOFF_MAX_MS,
  ROLE_BACKOFF_RESET_MS,
  ROLE_CHECK_MS,
} from '../limits.js'

/**
 * Errors that concern the role of the server and not the command: the server is a replica, or loads its data. Redis 7
 * begins a script's error with the word, Redis 6 puts it behind "ERR Error running script … -".
 */
const ROLE_ERROR = /(?:^|[\s:-])(?:READONLY|LOADING|MASTERDOWN|UNBLOCKED)\s|WAIT cannot be used with replica/

export const isRoleError = (message: string): boolean => ROLE_ERROR.test(message)

/** The connection reached a server that accepts no writes; the next attempt resolves the name again. */
export class WrongServer extends Error {
  override readonly name = 'WrongServer'
  readonly code = 'redis_wrong_server'
}

/** By the fields of INFO. A replica that is configured to accept writes is the operator's own choice. */
const isReadOnlyReplica = (role: string | undefined, isReadOnly: string | undefined) =>
  role === 'slave' && isReadOnly !== '0'

type Stream = Awaited<ReturnType<AbstractConnector['connect']>>

/**
 * Makes connections that count only on a server that accepts writes. After a failover the old master often stays up as
 * a replica: a client that stayed there, or came back before the name service changed, would have every write refused.
 * Such a connection never becomes ready, so the client backs off as it does for an absent server, and each attempt
 * resolves the name anew. The same holds for a server that does not finish the handshake, because it loads its data or
 * is frozen.
 */
export class MasterConnector extends AbstractConnector {
  readonly #options: RedisOptions
  #report: (error: Error) => void = () => {}
  #deadline: NodeJS.Timeout | undefined

  constructor(options: unknown) {
    super((options as { disconnectTimeout: number }).disconnectTimeout)
    this.#options = options as RedisOptions
  }

  connect(emit: (type: string, error: Error) => void): Promise<Stream> {
    this.connecting = true
    this.#report = (error) => emit('error', error)
    const { host = '127.0.0.1', port = 6379, tls } = this.#options
    const stream = tls ? connectTls({ ...tls, host, port }) : createConnection({ host, port })
    this.stream = stream
    stream.once(tls ? 'secureConnect' : 'connect', () => this.#limitHandshake(stream))
    stream.once('close', () => clearTimeout(this.#deadline))
    return Promise.resolve(stream)
  }

  /**
   * ioredis calls this with the answer to INFO at the end of the handshake, and not before the server has loaded its
   * data.
   */
  override check(info: Record<string, string | undefined>): boolean {
    clearTimeout(this.#deadline)
    if (!isReadOnlyReplica(info['role'], info['slave_read_only'])) return true
    this.#report(new WrongServer('READONLY: this Redis is a replica, and takes no writes'))
    return false
  }

  #limitHandshake(stream: Stream): void {
    this.#deadline = setTimeout(() => {
      // In two halves: a process that was frozen, or had no CPU time, still has the second one to read its answers.
      this.#deadline = setTimeout(() => {
        const seconds = HANDSHAKE_MS / 1000
        stream.destroy(new WrongServer(`Redis did not finish the handshake within ${seconds} s: it loads, or hangs`))
      }, HANDSHAKE_MS / 2)
    }, HANDSHAKE_MS / 2)
  }
}

/**
 * Options by which a client leaves a server with a changed role, and the delays between its attempts. BullMQ's copies
 * of a client share them. `resend`: refused commands are sent again on the next connection, else the caller has the
 * error.
 */
export function reconnectOnRoleError(resend: boolean, leave: (error: Error) => void) {
  let attempts = 0
  let heardMs = Number.NEGATIVE_INFINITY
  const delayMs = () => (attempts === 0 ? 0 : Math.min(RECONNECT_FIRST_MS * 2 ** attempts, ROLE_BACKOFF_MAX_MS))
  return {
    /**
     * INFO reveals most replicas before a command is sent; where INFO is forbidden, only this delay separates the
     * attempts.
     */
    delayMs: () => (performance.now() - heardMs > ROLE_BACKOFF_RESET_MS ? 0 : delayMs()),
    reconnectOnError(error: Error): false | 1 | 2 {
      if (!isRoleError(error.message)) return false
      const nowMs = performance.now()
      // Commands that were sent together are refused together, and count once.
      if (nowMs - heardMs > ROLE_BACKOFF_RESET_MS) attempts = 1
      else if (nowMs - heardMs >= delayMs()) attempts += 1
      else return resend ? 2 : 1
      heardMs = nowMs
      leave(error)
      return resend ? 2 : 1
    },
  }
}

/**
 * Asks the server for its role at intervals: a client that only reads, or waits, gets no error and would stay on a
 * demoted master.
 */
export function watchRole(client: Redis, leave: (error: Error) => void): void {
  let isAsking = false
  const look = async () => {
    if (isAsking || client.status !== 'ready') return
    isAsking = true
    try {
      const info = await client.info('replication')
      const infoField = (name: string) => new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1]
      if (client.status === 'ready' && isReadOnlyReplica(infoField('role'), infoField('slave_read_only'))) {
        leave(new WrongServer('READONLY: this Redis has become a replica, and takes no writes'))
      }
    } catch {
      // A connection that breaks tells by itself; an account that may not ask learns from refused commands.
    } finally {
      isAsking = false
    }
  }
  const timer = setInterval(() => void look(), ROLE_CHECK_MS).unref()
  client.on('end', () => clearInterval(timer))
}
