/** The queue's gauges: for every process that may export them. */
export type { BlockedByCode } from './operate/blocked.js'
export type { DeadLettersByClass } from './operate/dead-letter-counter.js'
export type { AgreedSetting } from './operate/disagreements.js'
export { openQueueGauges, type QueueGauges, type QueueReading } from './operate/gauges.js'
export type { QueueDepth } from './operate/queue-depth.js'
export { exportQueueGauges, exportReactionGauges, type GaugeRegistry } from './operate/queue-metrics.js'
