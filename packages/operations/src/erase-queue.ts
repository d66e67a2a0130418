import { setTimeout as pause } from 'node:timers/promises'
import {
  addressesOf,
  asJsonMember,
  asObjectId,
  isWordOf,
  kindNamed,
  kindOf,
  mentions,
  type Person,
  searchTextsOf,
  tieTo,
} from '@clerk-mirror/events'
import type { LedgerEntry, Mirror } from '@clerk-mirror/mirror'
import type { RemovedFrom, StoredEvent, StoredEvents } from '@clerk-mirror/queue/operate'
import { entryOf } from './ledger-entry.js'
import { ERASE_LOOK_MS } from './limits.js'

export type JobCounts = { waiting: number; delayed: number; dead: number; kept: number }

/** The findings of a search for a person through the queue; a repeated search adds to them. */
export type QueueFindings = {
  jobs: JobCounts
  /** Ids of events that a worker had when they were to be removed. */
  active: Set<string>
  /** Ids of events that could not be decrypted. */
  unread: Set<string>
  /** Types, by id, of events that only mention the person and stay. */
  mentions: Map<string, string>
  /** Ids of objects with an event that a worker held, or took before its removal. */
  slipped: Set<string>
}

export const noJobs = (): JobCounts => ({ waiting: 0, delayed: 0, dead: 0, kept: 0 })

export const noFindings = (): QueueFindings => ({
  jobs: noJobs(),
  active: new Set(),
  unread: new Set(),
  mentions: new Map(),
  slipped: new Set(),
})

/**
 * Removes the person's events. Returns the person with the addresses that those events told of: an address may be newer
 * than the stored object, or the object may never have come.
 */
export async function removeEvents(
  mirror: Mirror,
  events: StoredEvents,
  person: Person,
  userTexts: string[],
  found: QueueFindings,
): Promise<Person> {
  const known = userTexts.length
  for await (const event of events.containing(searchTextsOf(person), { decrypting: true })) {
    const tie = tieOfEvent(event, person)
    if (tie === null && typeof event.envelope?.body === 'object') found.unread.add(event.id)
    if (tie === 'mention') found.mentions.set(event.id, event.type)
    if (tie !== 'theirs') continue
    found.mentions.delete(event.id)
    if (tellsAddresses(event, person)) userTexts.push(JSON.stringify(asJsonMember(bodyOf(event), 'data')))
    // In the ledger first: an interruption leaves an event that is on record and in the queue, never one in neither.
    await mirror.recordErased([entryOfStored(event)])
    const from = await removeOne(events, event.id, found.jobs)
    if (from === 'active') found.active.add(event.id)
    const objectId = event.envelope?.objectId
    if (objectId && (from === 'active' || from === 'gone')) found.slipped.add(objectId)
  }
  if (userTexts.length === known) return person
  const told = { ...person, addresses: addressesOf(userTexts) }
  const isComplete = searchTextsOf(told).every(isKnownTo(person))
  return isComplete ? told : removeEvents(mirror, events, told, userTexts, found)
}

function isKnownTo(person: Person): (text: string) => boolean {
  const texts = new Set(searchTextsOf(person))
  return (text) => texts.has(text)
}

/** Runs of reactions that name the person; they are no events, and the ledger knows nothing of them. */
export async function removeRuns(reactions: StoredEvents, userId: string, runs: JobCounts): Promise<Set<string>> {
  const active = new Set<string>()
  for await (const run of reactions.containing([userId])) {
    if (isWordOf(run.text, userId) && (await removeOne(reactions, run.id, runs)) === 'active') active.add(run.id)
  }
  return active
}

/** An event in flight cannot be removed: it ends as tombstoned, or comes back to the queue and is removed there. */
export async function removeWhenFinished(
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

async function removeOne(events: StoredEvents, id: string, jobs: JobCounts): Promise<RemovedFrom> {
  const from = await events.remove(id)
  if (from !== 'active' && from !== 'gone') jobs[from] += 1
  return from
}

/**
 * An event goes sooner than an object: one that names the person by id anywhere is removed, unless it is about another
 * user, or about something that belongs to many, such as an organization that they created and that outlives them.
 */
function tieOfEvent(event: StoredEvent, person: Person): 'theirs' | 'mention' | null {
  const { type, envelope, text } = event
  if (envelope?.objectId === person.userId) return 'theirs'
  const kind = kindOf(type)
  const data = asJsonMember(bodyOf(event), 'data')
  const id = asObjectId(data['id'])
  const tie = tieTo(person, { kind, id, data })?.kind ?? null
  const { owners, whenUserIsDeleted } = kindNamed(kind)
  const isOthers = (kind === 'user' && id !== null) || owners(data).userId !== null
  if (tie === 'theirs' || isOthers || whenUserIsDeleted === 'clear-reference') return tie
  if (isWordOf(text, person.userId)) return 'theirs'
  return mentions(person, text) ? 'mention' : null
}

const bodyOf = ({ envelope }: StoredEvent): string => (typeof envelope?.body === 'string' ? envelope.body : '')

/** A delete says nothing of the user but the id. */
const tellsAddresses = ({ type, envelope }: StoredEvent, { userId }: Person): boolean =>
  envelope?.objectId === userId && typeof envelope.body === 'string' && /^user\.(?!deleted$)/.test(type)

function entryOfStored({ envelope, ...event }: StoredEvent): LedgerEntry {
  const { objectId = null, instanceId = null, source = 'clerk' } = envelope ?? {}
  return entryOf({ ...event, objectId, instanceId, source })
}
