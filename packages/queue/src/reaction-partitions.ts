import { createHash } from 'node:crypto'
import type { RedisClient } from './connection.js'
import { type Partition, partition, QUEUES } from './partitions.js'

/** What a reaction may be called: its name stands in keys, labels and job ids. */
export const REACTION_NAME = /^[a-z][a-z0-9-]{0,62}$/

/**
 * Each reaction has a partition of the reactions queue for itself, so that one that is slow or fails is in nobody's
 * way: its own line, its own runs. They lie in the slot of the partition of events that is given.
 */
export const reactionPartition = ({ prefix }: Partition, reaction: string): Partition =>
  partition(`${prefix}-${reaction}`, QUEUES.reactions)

/** The id of the one job for a reaction to a change; also what a receiver tells a repetition by. */
export const reactionJobId = (reaction: string, eventId: string, objectId: string): string =>
  `x_${createHash('sha256')
    .update(JSON.stringify([reaction, eventId, objectId]))
    .digest('base64url')}`

/** Every reaction that a worker has ever had, for operators: a queue of one that was taken away can be looked at too. */
const namesKey = ({ prefix }: Partition) => partition(prefix, QUEUES.reactions).key('clerk-mirror:reactions')

export async function noteReactions(client: RedisClient, events: Partition, names: readonly string[]): Promise<void> {
  if (names.length > 0) await client.sadd(namesKey(events), ...names)
}

/** In the order of their names. @throws when Redis does not answer. */
export const knownReactions = async (client: RedisClient, events: Partition): Promise<string[]> =>
  (await client.smembers(namesKey(events))).filter((name) => REACTION_NAME.test(name)).sort()
