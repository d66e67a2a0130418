import { HEARTBEAT_TTL_MS } from '../limits.js'
import { registryKeys, withPartitionScripts } from '../lua/partition-scripts.js'
import type { RedisClient } from '../redis/connection.js'

/** Settings that all ingest processes should share, and that must fit those of workers. Holds no secret. */
export type IngestSettings = {
  /** Of the release. */
  version: string
  /** CLERK_INSTANCE_ID. */
  instanceId: string | null
  /** Ids of the payload keys; the first one encrypts. */
  keyIds: readonly string[]
}

/** A producer that spreads events, by its own account. Time in ms. */
export type ProducerPresence = {
  host: string
  pid: number
  startedAtMs: number
  partitions: number
  /** As reported by workers. */
  clockShiftMs?: number
  settings?: IngestSettings
}

/** The number of partitions on the registry, and the living producers. @throws when Redis does not answer. */
export async function readProducers(
  client: RedisClient,
  namespace: string,
): Promise<{ count: number; producers: ProducerPresence[] }> {
  const [count = 1, ...rows] = await withPartitionScripts(client).clerkPartitions(
    ...registryKeys(namespace),
    HEARTBEAT_TTL_MS,
  )
  const heartbeats = rows.filter((_, index) => index % 2 === 1)
  return { count: Number(count), producers: heartbeats.map((text) => JSON.parse(String(text)) as ProducerPresence) }
}
