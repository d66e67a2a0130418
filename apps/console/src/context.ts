import type { FailuresByAddress, Log } from '@clerk-mirror/runtime'
import type { Account } from './auth/accounts.js'
import type { Sessions } from './auth/sessions.js'
import type { CauseCount } from './cause-count.js'
import type { OperationsDoor } from './operations-connection.js'
import type { Runs } from './runs.js'
import type { Samples } from './samples.js'

/** The dependencies of the routes. */
export type Console = {
  accounts: readonly Account[]
  sessions: Sessions
  /** For pages and API together. */
  wrongTokens: FailuresByAddress
  operations: OperationsDoor
  causes: CauseCount
  samples: Samples
  runs: Runs
  log: Log
  clock: () => number
}
