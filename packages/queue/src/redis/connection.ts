import { Cluster, Redis, type RedisOptions } from 'ioredis'
import {
  CONNECT_PATIENT_MS,
  CONNECT_PROMPT_MS,
  OPERATOR_MS,
  PROMPT_COMMAND_MS,
  PROMPT_SILENCE_MS,
  RECONNECT_FIRST_MS,
  RECONNECT_MAX_MS,
  SLOT_RETRY_MS,
  SLOT_TRIES_MAX,
  SOCKET_SILENCE_MS,
} from '../limits.js'
import { endOnDisconnect } from './end-on-disconnect.js'
import { QueueUnavailable } from './queue-unavailable.js'
import type { RedisTarget } from './redis-url.js'
import { MasterConnector, reconnectOnRoleError, watchRole } from './server-role.js'

export type RedisClient = Redis | Cluster

/** Called once per outage, not once per attempt. */
export type ConnectionObserver = { redisLost: (error: Error) => void; redisBack: () => void }

export function observe(client: RedisClient, observer: ConnectionObserver): void {
  let lost = false
  client.on('error', (error: Error) => {
    if (!lost) observer.redisLost(error)
    lost = true
  })
  client.on('ready', () => {
    if (lost) observer.redisBack()
    lost = false
  })
}

const reconnectDelay = (attempt: number) => Math.min(RECONNECT_FIRST_MS * 2 ** attempt, RECONNECT_MAX_MS)

/**
 * For ingest, which must answer at once: commands are neither queued while Redis is away nor sent again later, and each
 * succeeds or fails within `PROMPT_COMMAND_MS`. The first four options and the last are needed for that. A late command
 * leaves its connection open: only `socketTimeout` replaces a connection that died silently.
 */
export function openPromptClient(target: RedisTarget): RedisClient {
  return open(target, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: PROMPT_COMMAND_MS,
    connectTimeout: CONNECT_PROMPT_MS,
    socketTimeout: PROMPT_SILENCE_MS,
    autoResendUnfulfilledCommands: false,
  })
}

/** For operators: they prefer a wait for a busy Redis to a refusal, but not a wait for one that is gone. */
export function openOperatorClient(target: RedisTarget): RedisClient {
  return open(target, {
    maxRetriesPerRequest: 1,
    connectTimeout: OPERATOR_MS,
    commandTimeout: OPERATOR_MS,
    socketTimeout: OPERATOR_MS,
  })
}

/** The same, connected. @throws QueueUnavailable when Redis cannot be reached. */
export async function connectOperator(target: RedisTarget): Promise<RedisClient> {
  const client = openOperatorClient(target)
  const connected = new Promise<void>((resolve, reject) => {
    client.once('ready', resolve)
    client.once('error', reject)
  })
  client.on('error', () => {}) // each command reports its own errors
  try {
    await connected
    return client
  } catch (error) {
    client.disconnect()
    // The client's messages do not mention Redis.
    const where = target.nodes.map(({ host, port }) => `${host}:${port}`).join(', ')
    const cause = error instanceof Error ? error.message : String(error)
    throw new QueueUnavailable(`Redis at ${where} cannot be used: ${cause}`, error)
  }
}

/** For workers: they wait without a limit. BullMQ demands the missing limit on retries. */
export function openPatientClient(target: RedisTarget): RedisClient {
  return open(target, {
    maxRetriesPerRequest: null,
    connectTimeout: CONNECT_PATIENT_MS,
    socketTimeout: SOCKET_SILENCE_MS,
  })
}

type Behaviour = Pick<
  RedisOptions,
  | 'enableOfflineQueue'
  | 'maxRetriesPerRequest'
  | 'commandTimeout'
  | 'connectTimeout'
  | 'socketTimeout'
  | 'autoResendUnfulfilledCommands'
>

function open({ nodes, username, password, tls, database }: RedisTarget, behaviour: Behaviour): RedisClient {
  const access = {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls && { tls: {} }),
  }
  // A client without a retry limit also waits for a server that accepts its writes.
  const isPatient = behaviour.maxRetriesPerRequest === null
  // BullMQ's duplicates of the client share these options: a role error on one of them reconnects the client too, which
  // may be idle.
  const leave = (error: Error) => {
    if (client.listenerCount('error') > 0) client.emit('error', error)
    if (client instanceof Redis && client.status === 'ready') client.disconnect(true)
  }
  const { reconnectOnError, delayMs } = reconnectOnRoleError(isPatient, leave)
  const [node] = nodes
  const client: RedisClient = endOnDisconnect(nodes.length === 1 && node ? openServer(node) : openCluster())
  if (client instanceof Redis) watchRole(client, leave)
  return client

  function openServer(server: { host: string; port: number }): Redis {
    const retryStrategy = (attempt: number) => Math.max(reconnectDelay(attempt), delayMs())
    const connecting = { Connector: MasterConnector, reconnectOnError, retryStrategy }
    return new Redis({ ...server, ...access, ...behaviour, ...connecting, db: database })
  }

  function openCluster(): Cluster {
    const { enableOfflineQueue = true, ...perNode } = behaviour
    return new Cluster([...nodes], {
      redisOptions: { ...access, ...perNode, reconnectOnError },
      enableOfflineQueue,
      clusterRetryStrategy: reconnectDelay,
      retryDelayOnTryAgain: SLOT_RETRY_MS,
      retryDelayOnClusterDown: SLOT_RETRY_MS,
      // That many redirections need a pause between them.
      ...(isPatient && { maxRedirections: SLOT_TRIES_MAX, retryDelayOnMoved: SLOT_RETRY_MS }),
      // Certificates name hosts, not the addresses that they resolve to.
      ...(tls && { dnsLookup: (host: string, callback: (error: null, host: string) => void) => callback(null, host) }),
    })
  }
}
