import { Failure, TYPED_TABLES } from '@clerk-mirror/mirror'
import type { Site } from './site.js'

/**
 * An operator's rebuild of all typed tables. Null when it is done; else the failure that interrupted it, after which
 * all must be right.
 */
export async function rebuild({ appliers: [mirror] }: Site): Promise<Failure | null> {
  if (!mirror) throw new Error('there is no mirror to rebuild')
  try {
    const run = await mirror.beginRebuild({ actor: 'simulation', tables: TYPED_TABLES, restart: true })
    for (;;) if ((await mirror.rebuildNext(run)).isDone) return null
  } catch (error) {
    // A kill, a deadlock too many or a table that is away. An object row that cannot be read would be poison.
    if (error instanceof Failure && error.class !== 'poison') return error
    throw error
  }
}
