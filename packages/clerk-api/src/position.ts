import type { WalkedKind } from './kinds.js'
import { RECENT_OBJECTS, RECENT_TIES_MAX } from './limits.js'
import type { ApiObject, CreatedWindow, Position, Recent } from './walk.js'

export const startOf = (kind: WalkedKind, window: CreatedWindow): Position => ({
  ...{ kind, window, read: 0, settled: 0, settledBeforeMs: 0, settledTotal: 0, offset: 0, recent: [] },
})

/** @throws RangeError when it is of another walk. */
export function demandSameWalk(position: Position, kind: WalkedKind, window: CreatedWindow): void {
  const isSame =
    position.kind === kind && position.window.fromMs === window.fromMs && position.window.toMs === window.toMs
  if (!isSame) throw new RangeError(`this position is one of a walk of ${position.kind}, or of another window`)
}

/** The time of creation up to which everything was given. */
export const lastCreatedMs = ({ recent }: Position): number => recent.at(-1)?.createdAtMs ?? Number.NEGATIVE_INFINITY

/**
 * The objects of a page that were not given yet. Pages are in the order of creation, so any object older than the last
 * object was given, or was created after it and is not to be found by any walk.
 */
export function freshOf(objects: readonly ApiObject[], position: Position): ApiObject[] {
  const lastMs = lastCreatedMs(position)
  const { fromMs = Number.NEGATIVE_INFINITY, toMs = Number.POSITIVE_INFINITY } = position.window
  const seen = new Set(position.recent.map(({ id }) => id))
  return objects.filter(({ id, createdAtMs }) => {
    if (createdAtMs < lastMs || seen.has(id) || createdAtMs < fromMs || createdAtMs >= toMs) return false
    seen.add(id)
    return true
  })
}

export function advanced(position: Position, fresh: readonly ApiObject[], offset: number): Position {
  const settled = fresh.filter(({ createdAtMs }) => createdAtMs < position.settledBeforeMs).length
  return {
    ...{ ...position, offset },
    read: position.read + fresh.length,
    settled: position.settled + settled,
    recent: recentOf(position.recent, fresh),
  }
}

function recentOf(before: readonly Recent[], fresh: readonly ApiObject[]): readonly Recent[] {
  const all = [...before, ...fresh.map(({ id, createdAtMs }) => ({ id, createdAtMs }))]
  const lastMs = all.at(-1)?.createdAtMs
  const ties = all.filter(({ createdAtMs }) => createdAtMs === lastMs).length
  return all.slice(-Math.max(RECENT_OBJECTS, Math.min(ties, RECENT_TIES_MAX)))
}
