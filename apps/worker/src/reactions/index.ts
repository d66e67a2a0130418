import { logNewUsers } from './log-new-users.js'
import type { Reaction } from './reaction.js'

/** Every reaction in code. REACTIONS chooses the ones that run. */
export const REACTIONS: readonly Reaction[] = [logNewUsers]
