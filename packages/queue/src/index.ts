export type { BreakerState } from './consume/breaker.js'
export { type Consumer, type ConsumerObserver, type ConsumerOptions, consume, retryDelay } from './consume/consumer.js'
export { REACTION_PACE } from './consume/consumer-profile.js'
export type { Delivery, Disposition, Handle } from './consume/dispatcher.js'
export { WorkerWedged } from './consume/stuck-watchdog.js'
export type { WorkerPresence, WorkerSettings } from './consume/worker-heartbeat.js'
export { type EnqueueResult, openProducer, type Producer } from './enqueue/enqueue.js'
export type { IngestSettings, ProducerPresence, Spread } from './enqueue/partition-router.js'
export { comesAfter, type DeadLetterCursor } from './job/dead-letter-order.js'
export type { UndecryptedBody } from './job/encrypted-body.js'
export { type EnvelopeKeys, parseEnvelopeKeys } from './job/encryption-keys.js'
export { type Reason, reasonOf } from './job/failure-reason.js'
export type { DeadLetter, JobList, ListedDeadLetter } from './job/job-list.js'
export type { IncomingEvent, StoredEnvelope } from './job/queue-job.js'
export { BROWSE_ROWS_MAX, PARTITIONS_MAX, REPLICAS_MAX } from './limits.js'
export { type AlertClaims, openAlertClaims } from './operate/alert-claims.js'
export type { BlockedByCode } from './operate/blocked.js'
export { openQueueBrowser, type QueueBrowser, type Redact } from './operate/browse.js'
export type { DeadLettersByClass } from './operate/dead-letter-counter.js'
export { type DeadLetterDetails, type DeadLetters, openDeadLetters } from './operate/dead-letters.js'
export {
  type AgreedSetting,
  type Disagreement,
  disagreementsOf,
  type LivingProcesses,
} from './operate/disagreements.js'
export { openQueueGauges, type QueueGauges, type QueueReading } from './operate/gauges.js'
export { openQueueInstallation, type QueueInstallation } from './operate/installation.js'
export {
  openPartitionDesk,
  openPartitionRegistry,
  type PartitionDesk,
  type PartitionRegistry,
  type PartitionReport,
  type Retirement,
  readPartitions,
} from './operate/partition-registry.js'
export type { QueueDepth } from './operate/queue-depth.js'
export { exportQueueGauges, exportReactionGauges, type GaugeRegistry } from './operate/queue-metrics.js'
export { openQueueView, type QueuedEvent, type QueueView } from './operate/queue-view.js'
export { openSessionRevocations, type SessionId, type SessionRevocations } from './operate/session-revocations.js'
export { openStoredEvents, type RemovedFrom, type StoredEvent, type StoredEvents } from './operate/stored-events.js'
export {
  type Partition,
  type Partitions,
  parseNamespace,
  partition,
  partitions,
  QUEUES,
  type QueueName,
} from './partitions.js'
export {
  openReactionPartitions,
  REACTION_NAME,
  type ReactionPartitions,
  reactionJobId,
  reactionPartition,
  type Unregistered,
} from './reactions/reaction-partitions.js'
export { openReactionProducer, type ReactionProducer } from './reactions/reaction-producer.js'
export {
  openReactionRegistry,
  type ReactionRegistry,
  type RegisteredReactions,
  type RegistryObserver,
  type Unaware,
} from './reactions/reaction-registry.js'
export type { ConnectionObserver } from './redis/connection.js'
export { QueueUnavailable } from './redis/queue-unavailable.js'
export type { RedisInspection } from './redis/redis-inspection.js'
export { parseRedisUrl, type RedisTarget } from './redis/redis-url.js'
