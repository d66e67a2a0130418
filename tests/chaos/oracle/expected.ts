import type { SimulatedEvent } from '../../simulation/history.js'
import { expectedMirror } from '../../simulation/model.js'
import type { ExpectedMirror } from '../../support/invariants.js'

/** The expected tables after all rounds so far. */
export const nothingExpected = (): ExpectedMirror => ({ objects: new Map(), rows: new Map(), outcomes: new Map() })

/** Worlds know nothing of each other, so that each can be computed for itself. */
export function expectWorlds(expected: ExpectedMirror, worlds: readonly (readonly SimulatedEvent[])[]): void {
  for (const world of worlds) {
    const { objects, rows, outcomes } = expectedMirror(world)
    for (const [id, object] of objects) expected.objects.set(id, object)
    for (const [name, row] of rows) expected.rows.set(name, row)
    for (const [eventId, allowed] of outcomes) expected.outcomes.set(eventId, allowed)
  }
}

/** Deciding a discarded event anew is no error: a late duplicate of the sender may come after the discard. */
export function expectDiscarded(expected: ExpectedMirror, eventIds: Iterable<string>): void {
  for (const eventId of eventIds) expected.outcomes.set(eventId, ['discarded'])
}
