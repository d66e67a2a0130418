import { logNewUsers } from './log-new-users.js'
import type { Reaction } from './reaction.js'

/** Every reaction in code. REACTIONS says which of them run. */
export const REACTIONS: readonly Reaction[] = [logNewUsers]
