/** The operators' side: dead letters, views, partitions and removals, for commands and the console. */

export type { ProducerPresence } from './heartbeats/producer-heartbeat.js'
export type { WorkerPresence } from './heartbeats/worker-heartbeat.js'
export { comesAfter, type DeadLetterCursor } from './job/dead-letter-order.js'
export type { UndecryptedBody } from './job/encrypted-body.js'
export { type EnvelopeKeys, parseEnvelopeKeys } from './job/encryption-keys.js'
export type { Reason } from './job/failure-reason.js'
export type { DeadLetter, JobList, ListedDeadLetter } from './job/job-list.js'
export type { StoredEnvelope } from './job/queue-job.js'
export { BROWSE_ROWS_MAX } from './limits.js'
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
  type ReactionPartitions,
  reactionJobId,
  reactionPartition,
  type Unregistered,
} from './reactions/reaction-partitions.js'
export { QueueUnavailable } from './redis/queue-unavailable.js'
export { parseRedisUrl, type RedisTarget } from './redis/redis-url.js'
