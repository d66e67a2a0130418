import type { Mirror, RebuildCounts, RebuildRun } from '@clerk-mirror/mirror'

export type RebuildOptions = {
  actor: string
  tables: readonly string[]
  /** Begin anew although a rebuild of these tables was interrupted. */
  restart: boolean
  /** Stops after the page that is being rebuilt. */
  signal: AbortSignal
  onBegin: (run: RebuildRun) => void
  onProgress: (progress: RebuildProgress) => void
}

/** Objects looked at of those there were when the run began or went on. */
export type RebuildProgress = RebuildCounts & { of: number }

export type RebuildResult = { isDone: boolean; counts: RebuildCounts }

/**
 * Makes the typed tables anew from the object rows, beside workers that write them and without a call to Clerk.
 * @throws Failure; the next call goes on where this one was.
 */
export async function rebuild(mirror: Mirror, options: RebuildOptions): Promise<RebuildResult> {
  const { signal, onBegin, onProgress, ...request } = options
  const run = await mirror.beginRebuild(request)
  onBegin(run)
  for (;;) {
    const { isDone, counts } = await mirror.rebuildNext(run)
    // The count of the beginning is approximate: events come and go, and stubs are no objects.
    onProgress({ ...counts, of: isDone ? counts.objects : Math.max(run.objects, counts.objects) })
    if (isDone || signal.aborted) return { isDone, counts }
  }
}
