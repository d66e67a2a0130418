/** The workers' side: consumers of events and of reactions, and the records that workers share. */
export type { BreakerState } from './consume/breaker.js'
export { type Consumer, type ConsumerObserver, type ConsumerOptions, consume } from './consume/consumer.js'
export { REACTION_CONSUMER_PROFILE } from './consume/consumer-profile.js'
export type { Delivery, Disposition, Handle } from './consume/dispatcher.js'
export type { WorkerPresence, WorkerSettings } from './heartbeats/worker-heartbeat.js'
export { type EnvelopeKeys, parseEnvelopeKeys } from './job/encryption-keys.js'
export { type Reason, reasonOf } from './job/failure-reason.js'
export { type AlertClaims, openAlertClaims } from './operate/alert-claims.js'
export { openQueueInstallation, type QueueInstallation } from './operate/installation.js'
export { openPartitionRegistry, type PartitionRegistry } from './operate/partition-registry.js'
export { type Partition, type Partitions, parseNamespace, partition, partitions } from './partitions.js'
export { REACTION_NAME, reactionJobId, reactionPartition } from './reactions/reaction-partitions.js'
export {
  openReactionRegistry,
  type ReactionRegistry,
  type RegisteredReactions,
  type RegistryObserver,
  type Unaware,
} from './reactions/reaction-registry.js'
export type { ConnectionObserver } from './redis/connection.js'
export { parseRedisUrl, type RedisTarget } from './redis/redis-url.js'
