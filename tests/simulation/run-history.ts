import { decode, type Envelope, Failure, parseMirroredKinds } from '@clerk-mirror/events'
import type { DecodedEvent } from '@clerk-mirror/mirror'
import {
  changesBetween,
  type MirrorTables,
  type OwnData,
  type Violation,
  wrongLedger,
  wrongObjects,
  wrongOwnData,
  wrongRows,
} from '../support/invariants.js'
import { edit } from './application.js'
import { killSome, watched, without } from './disturbance.js'
import {
  APPLIERS,
  type Delivery,
  type Edit,
  type History,
  markerOf,
  type Round,
  type SimulatedEvent,
} from './history.js'
import { expectedMirror } from './model.js'
import { rebuild } from './rebuild.js'
import type { Site } from './site.js'

/** One delivery of one event with the answer of the applier, for the story of a violation. */
export type Delivered = { round: number; applier: number; eventId: string; answer: string }
export type HistoryRun = { violations: Violation[]; journal: readonly Delivered[] }

const everything = parseMirroredKinds('*')
const RECEIVED_AT_MS = 1_800_000_000_000
/** Rounds after the last one that deliver only failed events again. An outage or a kill costs one. */
const EXTRA_ROUNDS = 20

type Run = {
  site: Site
  eventOf: ReadonlyMap<string, SimulatedEvent>
  journal: Delivered[]
  violations: Violation[]
  /** Undecided events, because their delivery failed. */
  again: Set<string>
  own: Map<string, OwnData>
  ownAgain: Edit[]
}

/** Delivers a history to an empty site and reports everything that is not as it must be. */
export async function runHistory(site: Site, history: History): Promise<HistoryRun> {
  await site.clear()
  const eventOf = new Map(history.events.map((event) => [event.eventId, event]))
  const run: Run = { site, eventOf, journal: [], violations: [], again: new Set(), own: new Map(), ownAgain: [] }
  for (const [index, round] of history.rounds.entries()) {
    const deliveries = [...round.deliveries, ...deliveriesAgain(run, index)]
    const edits = [...run.ownAgain.splice(0), ...round.edits]
    await without(site, round.missingTable, () => runRound(run, index, { ...round, deliveries, edits }))
  }
  for (let extra = 0; extra < EXTRA_ROUNDS && run.again.size + run.ownAgain.length > 0; extra += 1) {
    const index = history.rounds.length + extra
    const undisturbed = { rebuilds: false, kills: 0, missingTable: null }
    await runRound(run, index, {
      deliveries: deliveriesAgain(run, index),
      edits: run.ownAgain.splice(0),
      ...undisturbed,
    })
  }
  for (const eventId of run.again)
    report(run, 'ledger', eventId, 'an event that nobody could apply', 'decided', 'failing')
  run.violations.push(...(await whenQuiet(run, history)))
  return { violations: run.violations, journal: run.journal }
}

async function runRound(run: Run, index: number, { deliveries, edits, rebuilds, kills }: Round): Promise<void> {
  const work = Promise.all([
    ...deliveries.map((delivery) => deliver(run, index, delivery)),
    writeOwn(run, edits),
    rebuilds ? rebuild(run.site) : undefined,
    killSome(run.site, kills),
  ])
  run.violations.push(...(await watched(run.site, work)))
}

/** Delivers every failed event once more, to another applier than before. */
function deliveriesAgain({ again }: Run, round: number): Delivery[] {
  const eventIds = [...again]
  again.clear()
  return eventIds.length === 0 ? [] : [{ applier: round % APPLIERS, eventIds }]
}

async function deliver(run: Run, round: number, { applier, eventIds }: Delivery): Promise<void> {
  const note = (eventId: string, answer: string) => run.journal.push({ round, applier, eventId, answer })
  try {
    const batch = eventIds.map((eventId) => arrivalOf(run, eventId, RECEIVED_AT_MS + round))
    const results = (await run.site.appliers[applier]?.apply(batch)) ?? []
    for (const [index, eventId] of eventIds.entries()) {
      const result = results[index]
      if (result?.kind === 'decided') {
        note(eventId, result.outcome)
        continue
      }
      note(eventId, `failed: ${result?.failure.class} ${result?.failure.code}: ${result?.failure.message}`)
      run.again.add(eventId)
      if (result?.failure.class !== 'poison') continue
      report(run, 'ledger', eventId, 'an event that would be a dead letter', 'applied', result.failure.code)
    }
  } catch (error) {
    if (!(error instanceof Failure) || error.class !== 'outage') throw error
    for (const eventId of eventIds) {
      note(eventId, `outage: ${error.code}`)
      run.again.add(eventId)
    }
  }
}

/** As the worker does it: the bytes are decoded anew with every delivery. */
function arrivalOf({ eventOf }: Run, eventId: string, receivedAtMs: number): DecodedEvent {
  const event = eventOf.get(eventId)
  if (!event) throw new Error(`the history delivers ${eventId}, which it does not have`)
  const { type, objectId, body } = event
  const envelope: Envelope = { eventId, type, objectId, instanceId: null, source: 'clerk', receivedAtMs, body }
  const decoded = decode(envelope, everything)
  if (decoded.kind !== 'change') throw new Error(`${type} is ${decoded.kind}`)
  const entry = { eventId, type, objectId, instanceId: null, source: 'clerk' as const, receivedAtMs, attempts: 1 }
  return { entry, change: decoded.change }
}

async function writeOwn(run: Run, edits: readonly Edit[]): Promise<void> {
  if (edits.length === 0) return
  await using connection = await run.site.connect()
  for (const change of edits) {
    const edited = await edit(connection, change)
    if (edited === 'unavailable') run.ownAgain.push(change)
    if (edited === 'refused' && !willBeDeleted(run, change.userId)) {
      report(run, 'I4', change.userId, "the application's own write", 'written', 'refused')
    }
    if (edited !== 'written') continue
    const before = run.own.get(change.userId)?.blocks ?? []
    run.own.set(change.userId, { tagline: change.tagline, blocks: [...before, change.block] })
  }
}

const willBeDeleted = ({ eventOf }: Run, userId: string) =>
  [...eventOf.values()].some(({ type, objectId }) => type === 'user.deleted' && objectId === userId)

function report(run: Run, invariant: string, object: string, what: string, expected: string, found: string): void {
  run.violations.push({ invariant, object, what, expected, found })
}

async function whenQuiet(run: Run, history: History): Promise<Violation[]> {
  const { site, journal } = run
  const expected = expectedMirror(history.events)
  const tables = await site.oracle.tables()
  const dead = [...expected.objects].filter(([, object]) => object.deleted).map(([id]) => id)
  const living = new Map([...run.own].filter(([userId]) => !willBeDeleted(run, userId)))
  return [
    ...wrongObjects(expected.objects, tables),
    ...wrongRows(expected.rows, tables),
    ...wrongLedger(expected.outcomes, tables),
    ...wrongOwnData(living, tables),
    ...contradictions(journal, tables),
    ...(await site.oracle.traces(dead.map(markerOf))),
    ...(await site.oracle.halfCommitted()),
    ...(await rebuiltOtherwise(site, tables)),
    ...(await appliedAgain(run, history, tables)),
  ]
}

/** An event is decided once. Every applier that answered an outcome answered the one of the ledger. */
function contradictions(journal: readonly Delivered[], tables: MirrorTables): Violation[] {
  const ledger = new Map(tables.get('webhook_events')?.map((row) => [row['event_id'], row['outcome']]))
  const told = new Set<string>()
  return journal.flatMap(({ eventId, answer }) => {
    if (!['applied', 'stale', 'tombstoned'].includes(answer)) return []
    const [expected, isFirst] = [ledger.get(eventId) ?? 'no row', !told.has(eventId)]
    told.add(eventId)
    if (isFirst && expected === answer) return []
    const what = isFirst ? 'the answer against the ledger' : 'decided a second time'
    return [{ invariant: 'ledger', object: eventId, what, expected, found: answer }]
  })
}

/** Once more for each connection that a killer may have left behind dead in the pool. */
const REBUILD_TRIES = 3

/** A rebuild, when nothing else happens, leaves the tables as the events made them. */
async function rebuiltOtherwise(site: Site, before: MirrorTables): Promise<Violation[]> {
  let failure = await rebuild(site)
  for (let tries = 1; failure && tries < REBUILD_TRIES; tries += 1) failure = await rebuild(site)
  if (failure) {
    const found = `${failure.class} ${failure.code}: ${failure.message}`
    return [{ invariant: 'rebuild', object: 'rebuild', what: 'when nothing else happens', expected: 'done', found }]
  }
  const changes = changesBetween(before, await site.oracle.tables(), ['operator_actions'])
  return changes.map((change) => ({ ...change, invariant: 'rebuild' }))
}

/** I4: all of it once more, and once more after the ledger was pruned, when only the versions can tell. */
async function appliedAgain(run: Run, { events }: History, before: MirrorTables): Promise<Violation[]> {
  const { site } = run
  const applyAll = async () => {
    const eventIds = events.map(({ eventId }) => eventId)
    await site.appliers[0]?.apply(eventIds.map((eventId) => arrivalOf(run, eventId, RECEIVED_AT_MS - 1)))
    return await site.oracle.tables()
  }
  const again = changesBetween(before, await applyAll(), ['operator_actions'])
  await site.query('DELETE FROM webhook_events')
  return [...again, ...changesBetween(before, await applyAll(), ['operator_actions', 'webhook_events'])]
}
