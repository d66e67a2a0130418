export type { AgreedSetting, Disagreement } from '@clerk-mirror/queue/operate'
export type { ActivityPoint } from './activity.js'
export type { OperatorAction, Page } from './audit.js'
export type { BulkOptions, DiscardResult, ReplayResult, RetryNowResult } from './bulk.js'
export type { DeadLetterCause, DeadLetterCauses } from './dead-letter-causes.js'
export type { DeadLetterFilter, DeadLetterQueue } from './dead-letter-filter.js'
export { deadLetterJson } from './dead-letter-json.js'
export type { DeadLetterOperations } from './dead-letters.js'
export { type EraseOptions, type EraseResult, erase, type Mention } from './erase.js'
export type { JobCounts } from './erase-queue.js'
export {
  demandMatch,
  type InstallationOperations,
  type InstallationReport,
  type RestampResult,
} from './installation.js'
export { REPORTED_IDS_MAX } from './limits.js'
export { type Operations, openOperations } from './operations.js'
export { OperationsError, type OperationsErrorCode } from './operations-error.js'
export { type ProbeOptions, type ProbeResult, probe, type WindowCount } from './probe.js'
export type { ReactionStatus } from './reaction-desk.js'
export type { AskResult, ForgetResult, ReactionBacklog, ReactionOperations, RemoveResult } from './reactions.js'
export { type RebuildOptions, type RebuildProgress, type RebuildResult, rebuild } from './rebuild.js'
export type { Status } from './status.js'
export type { Comparison, EventPlace, EventTrace, ObjectTrace, ReactionTrace, Trace, TraceStep } from './trace-types.js'
export { versionTime } from './version-time.js'
export type { FutureObjectReport, ReleaseOptions, ReleaseResult, VersionOperations } from './versions.js'
