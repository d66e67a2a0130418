import { setTimeout as pause } from 'node:timers/promises'
import { kindNamed, kindOf } from '@clerk-mirror/events'
import type { Counts, LedgerEntry, Mirror } from '@clerk-mirror/mirror'
import type { RemovedFrom, StoredEvent, StoredEvents } from '@clerk-mirror/queue'
import { entryOf } from './ledger-entry.js'
import { ERASE_LOOK_MS, ERASE_PATIENCE_MS } from './policy.js'

export type EraseOptions = {
  userId: string
  actor: string
  /** Called once, when workers have events of the person and erase begins to wait for them. */
  onWaiting: (events: number) => void
  /** Runs of reactions that wait. */
  reactions: StoredEvents
  patienceMs?: number
}

export type JobCounts = { waiting: number; delayed: number; dead: number; kept: number }

export type EraseResult =
  | {
      kind: 'erased'
      /** Heads that became tombstones. */
      objects: number
      /** Removed, by table. */
      rows: Counts
      /** Removed, by where they were. */
      jobs: JobCounts
      /** Runs of reactions that were removed, by where they were. */
      reactions: JobCounts
      /** Events and runs that a worker still had in the end. They can write nothing, but to be sure erase must be run again. */
      unfinished: number
      /**
       * Events of others left in the queue that could not be looked into, for want of their key. Where they name the
       * person in passing, that stays until they are decided.
       */
      unread: number
    }
  | { kind: 'not-a-user'; objectKind: string }

/**
 * Removes what is stored of a person but Clerk's ids: first the tombstone, so that nothing comes back, then their
 * events in the queue. Each step can be done again, by whoever runs it: an interrupted erase is simply run again.
 *
 * @throws Failure when the database, Error when Redis does not answer.
 */
export async function erase(mirror: Mirror, events: StoredEvents, options: EraseOptions): Promise<EraseResult> {
  const { userId, actor, onWaiting, reactions, patienceMs = ERASE_PATIENCE_MS } = options
  const erased = await mirror.eraseUser({ userId, actor })
  if (erased.kind === 'not-a-user') return erased
  const jobs: JobCounts = { ...NO_JOBS }
  const active = new Set<string>()
  const unread = new Set<string>()
  for await (const event of events.holding(userId, { unsealing: true })) {
    if (!isAbout(event, userId)) {
      if (typeof event.envelope?.body === 'object') unread.add(event.id)
      continue
    }
    // In the ledger first: an interruption leaves an event that is on record and in the queue, never one in neither.
    await mirror.recordErased([entryOfStored(event)])
    if ((await removeOne(events, event.id, jobs)) === 'active') active.add(event.id)
  }
  const runs: JobCounts = { ...NO_JOBS }
  const activeRuns = await removeRuns(reactions, userId, runs)
  const held = active.size + activeRuns.size
  if (held > 0) onWaiting(held)
  const deadlineMs = performance.now() + patienceMs
  await removeWhenFinished(events, active, jobs, deadlineMs)
  await removeWhenFinished(reactions, activeRuns, runs, deadlineMs)
  const unfinished = active.size + activeRuns.size
  const { objects = 0, ...rows } = erased.counts
  await mirror.recordCounts(erased.actionId, { ...named('jobs', jobs), ...named('reactions', runs) }, unfinished === 0)
  return { kind: 'erased', objects, rows, jobs, reactions: runs, unfinished, unread: unread.size }
}

const NO_JOBS: JobCounts = { waiting: 0, delayed: 0, dead: 0, kept: 0 }

const named = (what: string, jobs: JobCounts): Counts =>
  Object.fromEntries(Object.entries(jobs).map(([state, count]) => [`${what}_${state}`, count]))

/** Runs of reactions that name the person; they are no events, and the ledger knows nothing of them. */
async function removeRuns(reactions: StoredEvents, userId: string, runs: JobCounts): Promise<Set<string>> {
  const active = new Set<string>()
  for await (const run of reactions.holding(userId)) {
    if (names(run.text, userId) && (await removeOne(reactions, run.id, runs)) === 'active') active.add(run.id)
  }
  return active
}

async function removeOne(events: StoredEvents, id: string, jobs: JobCounts): Promise<RemovedFrom> {
  const from = await events.remove(id)
  if (from !== 'active' && from !== 'gone') jobs[from] += 1
  return from
}

/** What a worker has cannot be taken from it; it ends, as tombstoned, or comes back to the queue and is removed there. */
async function removeWhenFinished(
  events: StoredEvents,
  active: Set<string>,
  jobs: JobCounts,
  deadlineMs: number,
): Promise<void> {
  while (active.size > 0 && performance.now() < deadlineMs) {
    await pause(ERASE_LOOK_MS)
    for (const id of active) if ((await removeOne(events, id, jobs)) !== 'active') active.delete(id)
  }
}

/**
 * About the person, or naming them. An object that belongs to many, such as an organization that they created, knows
 * no more of them than the id, and outlives them.
 */
function isAbout({ type, envelope, text }: StoredEvent, userId: string): boolean {
  if (envelope?.objectId === userId) return true
  if (kindNamed(kindOf(type)).whenUserIsDeleted === 'clear-reference') return false
  return names(text, userId)
}

/** As a word of its own: user_1 is not named by user_12. */
function names(text: string, id: string): boolean {
  const isPart = (character: string | undefined) => character !== undefined && /\w/.test(character)
  for (let at = text.indexOf(id); at !== -1; at = text.indexOf(id, at + 1)) {
    if (!isPart(text[at - 1]) && !isPart(text[at + id.length])) return true
  }
  return false
}

function entryOfStored({ envelope, ...event }: StoredEvent): LedgerEntry {
  const { objectId = null, instanceId = null, source = 'clerk' } = envelope ?? {}
  return entryOf({ ...event, objectId, instanceId, source })
}
