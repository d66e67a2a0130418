export { type DeadLetterOperations, deadLetterOperations, type ReplayResult } from './dead-letters.js'
export { type EraseOptions, type EraseResult, erase, type JobCounts } from './erase.js'
export { type RebuildOptions, type RebuildProgress, type RebuildResult, rebuild } from './rebuild.js'
