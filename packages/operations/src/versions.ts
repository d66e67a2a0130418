import type { Mirror, VersionRelease } from '@clerk-mirror/mirror'
import type { Ledger } from './ledger.js'
import { FUTURE_LISTED } from './limits.js'

/** An object with a stored version more than a day ahead. Times in ms. */
export type FutureObjectReport = {
  id: string
  kind: string
  /** The event that it came with. */
  eventId: string
  updatedAtMs: number
  noticedAtMs: number
}

export type ReleaseResult = { id: string } & VersionRelease

export type ReleaseOptions = {
  actor: string
  /** Reports the versions that it would release, and changes nothing. */
  dryRun?: boolean
  /** Stops before the next object. */
  signal?: AbortSignal
}

export type VersionOperations = {
  /** Up to FUTURE_LISTED of them, by id. */
  list: () => Promise<FutureObjectReport[]>
  /**
   * Gives each of these objects, or all that the list has, the version that it would have if Clerk had changed it when
   * its event was received. Clerk's next event of it is newer then.
   */
  release: (ids: readonly string[] | 'all', options: ReleaseOptions) => Promise<ReleaseResult[]>
}

export function versionOperations(ledger: Ledger): VersionOperations {
  const list = async (mirror: Mirror): Promise<FutureObjectReport[]> => {
    const objects = await mirror.futureObjects(FUTURE_LISTED)
    return objects.map(({ id, kind, version, noticedAtMs }) => ({
      ...{ id, kind, noticedAtMs },
      ...{ eventId: version.eventId, updatedAtMs: version.updatedAtMs },
    }))
  }
  return {
    list: () => list(ledger.required),
    async release(ids, { actor, dryRun = false, signal }) {
      const mirror = ledger.required
      const chosen = ids === 'all' ? (await list(mirror)).map(({ id }) => id) : [...new Set(ids)]
      const results: ReleaseResult[] = []
      for (const objectId of chosen) {
        if (signal?.aborted) break
        results.push({ id: objectId, ...(await mirror.releaseVersion({ objectId, actor, dryRun })) })
      }
      return results
    },
  }
}
