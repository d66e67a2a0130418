export { type Acceptance, type Door, openDoor } from './accept.js'
export type { BlockedByCode } from './blocked.js'
export type { BreakerState } from './breaker.js'
export { openQueueBrowser, type QueueBrowser, type Redact } from './browse.js'
export type { LettersByClass } from './census.js'
export type { ConnectionObserver } from './connection.js'
export { type Consumer, type ConsumerObserver, type ConsumerOptions, consume, retryDelay } from './consume.js'
export { type DeadLetterDetails, type DeadLetters, openDeadLetters } from './dead-letters.js'
export {
  type AgreedSetting,
  type Disagreement,
  disagreementsOf,
  type LivingProcesses,
} from './disagreements.js'
export type { DoorPresence, IngestSettings, Spread } from './enrolment.js'
export { type EnvelopeKeys, parseEnvelopeKeys } from './envelope-keys.js'
export { openQueueGauges, type QueueGauges, type QueueReading } from './gauges.js'
export { type HandOver, openHandOver } from './hand-over.js'
export type { RedisInspection } from './inspect.js'
export { openQueueInstallation, type QueueInstallation } from './installation.js'
export type { DeadLetter, JobList, PlacedLetter } from './job-list.js'
export { isBehind, type LetterPlace } from './letter-order.js'
export type { Delivery, Disposition, Handle } from './line.js'
export { type Notices, openNotices } from './notices.js'
export { REACTION_PACE } from './pace.js'
export {
  type Partition,
  type Partitions,
  parseNamespace,
  partition,
  partitions,
  QUEUES,
  type QueueName,
} from './partitions.js'
export { BROWSE_ROWS_MAX, PARTITIONS_MAX, REPLICAS_MAX } from './policy.js'
export type { WorkerPresence, WorkerSettings } from './presence.js'
export { exportQueueGauges, exportReactionGauges, type GaugeRegistry } from './queue-metrics.js'
export { QueueUnavailable } from './queue-unavailable.js'
export { openQueueView, type QueueDepth, type QueuedEvent, type QueueView } from './queue-view.js'
export {
  openReactionPlaces,
  REACTION_NAME,
  type ReactionPlaces,
  reactionJobId,
  reactionPartition,
  type Unregistered,
} from './reaction-partitions.js'
export {
  openReactionRegister,
  type ReactionRegister,
  type RegisteredReactions,
  type RegisterObserver,
  type Unaware,
} from './reaction-register.js'
export { type Reason, reasonOf } from './reason.js'
export { parseRedisUrl, type RedisTarget } from './redis-url.js'
export {
  openPartitionDesk,
  openRegister,
  type PartitionDesk,
  type PartitionReport,
  type Register,
  type Retirement,
  readPartitions,
} from './register.js'
export type { SealedBody } from './sealed-body.js'
export { openSessionRevocations, type SessionId, type SessionRevocations } from './session-revocations.js'
export { openStoredEvents, type RemovedFrom, type StoredEvent, type StoredEvents } from './stored-events.js'
export type { Arriving, StoredEnvelope } from './stored-job.js'
export { WorkerWedged } from './wedge.js'
