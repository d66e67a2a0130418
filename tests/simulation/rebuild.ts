import { Failure, TYPED_TABLES } from '@clerk-mirror/mirror'
import type { Site } from './site.js'

/** An operator's rebuild of all typed tables. Whatever interrupts it, the tables must be right. */
export async function rebuild({ appliers: [mirror] }: Site): Promise<'rebuilt' | 'interrupted'> {
  if (!mirror) return 'interrupted'
  try {
    const run = await mirror.beginRebuild({ actor: 'simulation', tables: TYPED_TABLES, restart: true })
    for (;;) if ((await mirror.rebuildNext(run)).isDone) return 'rebuilt'
  } catch (error) {
    // A kill, a deadlock too many or a table that is away. A head that cannot be read would be poison.
    if (error instanceof Failure && error.class !== 'poison') return 'interrupted'
    throw error
  }
}
