import type { Random } from '../../packages/devstack/src/random.js'
import type { SimulatedEvent } from './history.js'
import { dataOf, type SimObject } from './payloads.js'

/** A small Clerk: objects that live and die, a clock, and the events that it has sent. */
export type Clerk = {
  random: Random
  nowMs: number
  objects: SimObject[]
  deletedIds: Set<string>
  events: SimulatedEvent[]
}

const START_MS = 1_700_000_000_000
const STEP_MS = 4_000

export const openClerk = (random: Random): Clerk => ({
  random,
  nowMs: START_MS + random.integer(0, 999),
  objects: [],
  deletedIds: new Set(),
  events: [],
})

/** Sometimes time stands still: then versions have equal times and different contents. */
export function pass(clerk: Clerk): void {
  if (!clerk.random.chance(0.2)) clerk.nowMs += clerk.random.integer(1, STEP_MS)
}

const DEAD_SHARE = 0.15

/** One of a kind. Now and then a deleted one: late events of deleted objects must change nothing. */
export function pickOf<K extends SimObject['kind']>(clerk: Clerk, kind: K): Extract<SimObject, { kind: K }> | null {
  const isOfKind = (object: SimObject): object is Extract<SimObject, { kind: K }> => object.kind === kind
  const all = clerk.objects.filter(isOfKind)
  const living = all.filter(({ id }) => !clerk.deletedIds.has(id))
  const choices = living.length === 0 || clerk.random.chance(DEAD_SHARE) ? all : living
  return choices[clerk.random.integer(0, choices.length - 1)] ?? null
}

/** Keeps an object and says so. */
export function create<T extends SimObject>(clerk: Clerk, object: T): T {
  clerk.objects.push(object)
  send(clerk, object, 'created')
  return object
}

/** The object has changed: a new version, but for a fifth of the changes no new `updated_at`. */
export function update(clerk: Clerk, object: SimObject, verb = 'updated'): void {
  if (!clerk.random.chance(0.2) || object.kind === 'organizationInvitation') object.updatedAtMs = clerk.nowMs
  send(clerk, object, verb)
}

/**
 * A membership's delete carries the full object, with the `updated_at` of its last change; the others next to nothing.
 */
export function remove(clerk: Clerk, object: SimObject): void {
  clerk.deletedIds.add(object.id)
  if (object.kind === 'organizationMembership') send(clerk, object, 'deleted')
  else sendData(clerk, object, `${object.kind}.deleted`, { object: object.kind, id: object.id, deleted: true })
}

const send = (clerk: Clerk, object: SimObject, verb: string) =>
  sendData(clerk, object, `${object.kind}.${verb}`, dataOf(object))

function sendData(clerk: Clerk, object: SimObject, type: string, data: object): void {
  const { random } = clerk
  const eventId = `msg_${random.base62(12)}`
  const event = {
    data: withOddTime(clerk, data),
    object: 'event',
    type,
    ...timestamp(clerk),
    instance_id: 'ins_simulated',
  }
  clerk.events.push({ eventId, type, objectId: object.id, body: JSON.stringify(event) })
}

/** In 2096: no later version of the object is newer. */
const FAR_MS = 4e12

function withOddTime({ random }: Clerk, data: object): object {
  if (random.chance(0.01) && 'updated_at' in data) return { ...data, updated_at: FAR_MS }
  if (!random.chance(0.04)) return data
  return Object.fromEntries(Object.entries(data).filter(([key]) => key !== 'updated_at'))
}

/** Milliseconds, and at times seconds or nothing at all. */
function timestamp({ random, nowMs }: Clerk): { timestamp?: number } {
  const at = nowMs + random.pick([0, 5, 20, 58])
  if (random.chance(0.05)) return random.chance(0.5) ? {} : { timestamp: Math.floor(at / 1000) }
  return { timestamp: at }
}
