export { type DeadLetterOperations, deadLetterOperations, type ReplayResult } from './dead-letters.js'
