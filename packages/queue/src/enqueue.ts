/** The producers' side: for ingest, and for workers that enqueue runs of reactions. */
export { type EnqueueResult, openProducer, type Producer } from './enqueue/enqueue.js'
export type { Spread } from './enqueue/partition-router.js'
export type { IngestSettings, ProducerPresence } from './heartbeats/producer-heartbeat.js'
export { type EnvelopeKeys, parseEnvelopeKeys } from './job/encryption-keys.js'
export type { IncomingEvent } from './job/queue-job.js'
export { PARTITIONS_MAX, REPLICAS_MAX } from './limits.js'
export {
  type Partition,
  type Partitions,
  parseNamespace,
  partition,
  partitions,
  QUEUES,
  type QueueName,
} from './partitions.js'
export { REACTION_NAME, reactionJobId, reactionPartition } from './reactions/reaction-partitions.js'
export { openReactionProducer, type ReactionProducer } from './reactions/reaction-producer.js'
export type { ConnectionObserver } from './redis/connection.js'
export type { RedisInspection } from './redis/redis-inspection.js'
export { parseRedisUrl, type RedisTarget } from './redis/redis-url.js'
