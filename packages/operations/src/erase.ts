import { addressesOf, type Person } from '@clerk-mirror/events'
import type { Counts, MentioningObject, Mirror, TiedPage } from '@clerk-mirror/mirror'
import type { StoredEvents } from '@clerk-mirror/queue/operate'
import { type JobCounts, noFindings, noJobs, removeEvents, removeRuns, removeWhenFinished } from './erase-queue.js'
import { ERASE_MENTIONS_LISTED, ERASE_PATIENCE_MS } from './limits.js'

export type EraseOptions = {
  userId: string
  actor: string
  /** Objects that are removed too, by an operator's decision; users and organizations are not. */
  also?: readonly string[]
  /** Called once, when workers have events of the person and erase begins to wait for them. */
  onWaiting: (events: number) => void
  /** How many objects of how many were searched. */
  onProgress?: (progress: { objects: number; of: number }) => void
  /** Runs of reactions that wait. */
  reactions: StoredEvents
  patienceMs?: number
}

export type Mention =
  | ({ in: 'object' } & MentioningObject)
  /** `kind` is the event's type. */
  | { in: 'event'; id: string; kind: string }

export type EraseResult =
  | {
      kind: 'erased'
      /** Object rows that became tombstones. */
      objects: number
      /** Removed, by table. */
      rows: Counts
      /** Removed, by where they were. */
      jobs: JobCounts
      /** Runs of reactions that were removed, by where they were. */
      reactions: JobCounts
      /**
       * Events and runs that a worker still had in the end. They can write nothing, but to be sure erase must be run
       * again.
       */
      unfinished: number
      /**
       * Events of others left in the queue that could not be looked into, for want of their key. Where they name the
       * person in passing, that stays until they are decided.
       */
      unread: number
      /** False where neither a stored object nor an event of the user was left to read addresses from. */
      addressesKnown: boolean
      /** Objects with the person's id or address that were left for the operator to decide: the first of them. */
      mentions: readonly Mention[]
      /** All of them. */
      mentioned: number
    }
  | { kind: 'not-a-user'; objectKind: string }

/**
 * Removes all data of a person except Clerk's ids. Invitations and other objects that name the person by an address
 * alone go first, while the user's object still holds the addresses; then the user's tombstone, so that nothing comes
 * back; then the events that arrived meanwhile. Every step is idempotent, for any operator: an interrupted erase is
 * simply run again, and one that was interrupted before the tombstone knows the addresses again.
 *
 * @throws Failure when the database, Error when Redis does not answer.
 */
export async function erase(mirror: Mirror, events: StoredEvents, options: EraseOptions): Promise<EraseResult> {
  const { userId, onWaiting, reactions, patienceMs = ERASE_PATIENCE_MS } = options
  const begun = await mirror.beginErase(options)
  if (begun.kind === 'not-a-user') return begun
  const userTexts = begun.data === null ? [] : [begun.data]
  const found = noFindings()
  const beforehand: Person = { userId, addresses: addressesOf(userTexts) }
  const told = await removeEvents(mirror, events, beforehand, userTexts, found)
  const tied = await eraseAllTied(mirror, begun.actionId, told, options)
  tied.add(await mirror.eraseUser({ userId, actionId: begun.actionId }))
  const person = await removeEvents(mirror, events, told, userTexts, found)

  const runs: JobCounts = noJobs()
  const activeRuns = await removeRuns(reactions, userId, runs)
  const held = found.active.size + activeRuns.size
  if (held > 0) onWaiting(held)
  const deadlineMs = performance.now() + patienceMs
  await removeWhenFinished(events, found.active, found.jobs, deadlineMs)
  await removeWhenFinished(reactions, activeRuns, runs, deadlineMs)
  // An event that names an address alone is not stopped by the user's tombstone. And an earlier run's listed objects
  // are found by their ids alone, now that the addresses are gone.
  const also = options.also ?? []
  const request = { actionId: begun.actionId, person, also: new Set(also) }
  tied.take(await mirror.eraseTied(request, [...found.slipped, ...also]))

  const unfinished = found.active.size + activeRuns.size
  const counts = { ...named('jobs', found.jobs), ...named('reactions', runs) }
  await mirror.recordCounts(begun.actionId, counts, unfinished === 0)
  const inEvents = [...found.mentions].map(([id, kind]): Mention => ({ in: 'event', id, kind }))
  return {
    kind: 'erased',
    ...tied.removed(),
    jobs: found.jobs,
    reactions: runs,
    unfinished,
    unread: found.unread.size,
    addressesKnown: userTexts.length > 0,
    mentions: [...tied.mentions.values(), ...inEvents].slice(0, ERASE_MENTIONS_LISTED),
    mentioned: tied.mentioned() + inEvents.length,
  }
}

const named = (what: string, jobs: JobCounts): Counts =>
  Object.fromEntries(Object.entries(jobs).map(([state, count]) => [`${what}_${state}`, count]))

/** Walks through all stored objects. */
async function eraseAllTied(mirror: Mirror, actionId: bigint, person: Person, { also, onProgress }: EraseOptions) {
  const tally = tallyOf()
  const of = onProgress ? await mirror.countObjects() : 0
  let looked = 0
  for (let after: string | null = ''; after !== null; ) {
    const page: TiedPage = await mirror.eraseNextTied({ actionId, person, also: new Set(also) }, after)
    tally.take(page)
    looked += page.looked
    onProgress?.({ objects: Math.min(looked, of), of })
    after = page.upTo
  }
  return tally
}

/** The removed objects so far, and a bounded list of the others. */
function tallyOf() {
  const rows = new Map<string, number>()
  const mentions = new Map<string, Mention>()
  let unlisted = 0
  const tally = {
    mentions,
    mentioned: () => mentions.size + unlisted,
    add(counts: Counts) {
      for (const [table, count] of Object.entries(counts)) rows.set(table, (rows.get(table) ?? 0) + count)
    },
    take(page: Pick<TiedPage, 'counts' | 'mentions'>) {
      tally.add(page.counts)
      for (const object of page.mentions) {
        if (mentions.has(object.id)) continue
        if (mentions.size < ERASE_MENTIONS_LISTED) mentions.set(object.id, { in: 'object', ...object })
        else unlisted += 1
      }
    },
    removed() {
      const { objects = 0, ...removed } = Object.fromEntries(rows)
      return { objects, rows: removed }
    },
  }
  return tally
}
