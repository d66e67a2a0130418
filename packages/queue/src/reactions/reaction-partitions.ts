import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { Queue } from 'bullmq'
import { HEARTBEAT_TTL_MS, REACTION_ACKNOWLEDGE_MS, REGISTRY_POLL_MS } from '../limits.js'
import { reactionRegistryKeys, readRegistry, withReactionRegistry } from '../lua/reaction-registry-scripts.js'
import { firstOf, type Partition, type Partitions, partition, QUEUES } from '../partitions.js'
import { connectOperator, type RedisClient } from '../redis/connection.js'
import { asQueueUnavailable } from '../redis/queue-unavailable.js'
import type { RedisTarget } from '../redis/redis-url.js'

/** The form of a reaction's name, which is part of keys, labels and job ids. */
export const REACTION_NAME = /^[a-z][a-z0-9-]{0,62}$/

/**
 * Each reaction has a partition of the reactions queue to itself, so that a slow or failing reaction delays no other:
 * it has its own list and its own runs. They lie in the slot of the given partition of events.
 */
export const reactionPartition = ({ prefix }: Partition, reaction: string): Partition =>
  partition(`${prefix}-${reaction}`, QUEUES.reactions)

/** The id of the one job for a reaction to a change; a receiver recognises repetitions by it. */
export const reactionJobId = (reaction: string, eventId: string, objectId: string): string =>
  `x_${createHash('sha256')
    .update(JSON.stringify([reaction, eventId, objectId]))
    .digest('base64url')}`

/** Every reaction that a worker ever had, for operators: the queue of a removed reaction can be examined too. */
const namesKey = ({ prefix }: Partition) => partition(prefix, QUEUES.reactions).key('clerk-mirror:reactions')

export async function rememberReactions(
  client: RedisClient,
  events: Partition,
  names: readonly string[],
): Promise<void> {
  if (names.length > 0) await client.sadd(namesKey(events), ...names)
}

/** The partition of every reaction that a worker ever had, by its name. */
export async function reactionPartitionsOf(
  client: RedisClient,
  events: Partition,
): Promise<ReadonlyMap<string, Partition>> {
  const names = await client.smembers(namesKey(events))
  const known = names.filter((name) => REACTION_NAME.test(name)).sort()
  return new Map(known.map((name) => [name, reactionPartition(events, name)]))
}

/** The result of removing a reaction from the registry. */
export type Unregistered =
  | { kind: 'removed' }
  /** Living workers register it with fewer filters than before: these are left. */
  | { kind: 'narrowed'; filters: string[] }
  /** Living workers register all of it. */
  | { kind: 'registered' }
  /** It is not on the registry. */
  | { kind: 'unknown' }

/** The partitions of reactions, for operators. */
export type ReactionPartitions = Disposable & {
  /** Updated in place by each refresh: every holder of this list sees the present partitions. */
  partitions: readonly Partition[]
  /** As of the last refresh, in the order of the partitions. */
  names: readonly string[]
  /** Of any reaction, also of one that is not among them. */
  partitionOf: (reaction: string) => Partition
  /** Reads the present reactions. @throws QueueUnavailable */
  refresh: () => Promise<void>
  /** Names of the reactions that workers request. @throws QueueUnavailable */
  registered: () => Promise<string[]>
  /**
   * Removes from the registry the parts that no living worker registers, and waits, `REACTION_ACKNOWLEDGE_MS` at most,
   * until no worker requests them any more. @throws QueueUnavailable
   */
  unregister: (reaction: string) => Promise<Unregistered>
  /** Removes all runs of a reaction, and its name. No worker may run it meanwhile. @throws QueueUnavailable */
  forget: (reaction: string) => Promise<void>
}

/** @throws QueueUnavailable when Redis cannot be reached. */
export async function openReactionPartitions(target: RedisTarget, list: Partitions): Promise<ReactionPartitions> {
  const events = firstOf(list)
  const client = withReactionRegistry(await connectOperator(target))
  const registerKeys = reactionRegistryKeys(list)
  const partitions: Partition[] = []
  const names: string[] = []
  const partitionOf = (reaction: string) => reactionPartition(events, reaction)
  const refresh = async () => {
    const known = await asQueueUnavailable(reactionPartitionsOf(client, events))
    names.splice(0, names.length, ...known.keys())
    partitions.splice(0, partitions.length, ...known.values())
  }
  const forget = async (reaction: string) => {
    const { queue, prefix } = partitionOf(reaction)
    const options = { connection: client, skipMetasUpdate: true, skipVersionCheck: true, skipWaitingForReady: true }
    const runs = new Queue(queue, { ...options, prefix })
    runs.on('error', () => {}) // the removal reports its own
    await asQueueUnavailable(runs.obliterate({ force: true }).finally(() => runs.close()))
    // Last: while the name is there, an interrupted removal is visible and can be repeated.
    await asQueueUnavailable(client.srem(namesKey(events), reaction))
  }
  const registered = async () => [
    ...readRegistry(['', ...Object.entries(await asQueueUnavailable(client.hgetall(registerKeys[0]))).flat()]).keys(),
  ]
  const acknowledged = async () => {
    const untilMs = performance.now() + REACTION_ACKNOWLEDGE_MS
    const version = Number(await asQueueUnavailable(client.hget(registerKeys[0], 'version')))
    while (performance.now() < untilMs) {
      const words = await asQueueUnavailable(client.clerkReactionReaders(...registerKeys, HEARTBEAT_TTL_MS))
      if (words.every((word) => (JSON.parse(word) as { version: number }).version >= version)) return
      await pause(REGISTRY_POLL_MS)
    }
  }
  const unregister = async (reaction: string): Promise<Unregistered> => {
    const [kind, filters = ''] = await asQueueUnavailable(
      client.clerkRemoveReaction(...registerKeys, HEARTBEAT_TTL_MS, reaction),
    )
    if (kind === 'removed' || kind === 'narrowed') await acknowledged()
    if (kind === 'narrowed') return { kind, filters: filters.split('\n') }
    return { kind: kind === 'removed' || kind === 'registered' ? kind : 'unknown' }
  }
  await refresh()
  return {
    partitions,
    names,
    partitionOf,
    refresh,
    registered,
    unregister,
    forget,
    [Symbol.dispose]: () => client.disconnect(),
  }
}
