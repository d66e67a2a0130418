import { changePerson } from './changes.js'
import { newPerson, type Person } from './people.js'
import { type Random, seededRandom } from './random.js'
import { userPayload } from './user-payload.js'

/** One webhook message to deliver. The same event may be delivered several times: same id, same bytes. */
export interface Delivery {
  /** `msg_` and 27 characters: goes into the header `svix-id`. */
  eventId: string
  type: string
  /** Clerk's id of the user that the event is about. */
  objectId: string
  /** The exact text to sign and send. */
  body: string
}

export interface HistoryOptions {
  /** The same options give the same traffic, ids and bytes included: sent twice, it must change nothing. */
  seed: number
  /** The number of sign-ups. */
  users: number
  /** Each of them has from none to so many `user.updated` (5). */
  updates?: number
  /** The share of deleted people, 0 to 1 (0.1). */
  deletes?: number
  /** Share of events that are delivered more than once, 0 to 1 (0). */
  duplicates?: number
  /** Any order instead of the order in which things happened. */
  shuffle?: boolean
  /** Clerk's id of the instance that sends. Without it one is made up. */
  instanceId?: string
}

export interface Traffic {
  /** In the order in which they are to be sent. */
  deliveries: Delivery[]
  /** Distinct events. */
  events: number
}

/** Fixed, and not the current time: a seed must give the same bytes today and tomorrow. */
const HISTORY_STARTS_MS = Date.UTC(2025, 2, 1)
const DAY_MS = 86_400_000
const SIGN_UPS_OVER_MS = 300 * DAY_MS
const LONGEST_PAUSE_MS = 20 * DAY_MS
/** Nothing promises that `updated_at` rises with every event: some share it, and then the version's rest decides. */
const SHARE_OF_TIES = 0.05
/** An update that Clerk stamps just after the delete. The delete is final all the same. */
const SHARE_OF_LATE_UPDATES = 0.2
/** How far behind its first delivery a repeated one comes when the traffic keeps its order. */
const REPEATED_WITHIN = 20

/** The webhooks of a Clerk application over about a year: people sign up, change and leave. */
export function history(options: HistoryOptions): Traffic {
  const random = seededRandom(options.seed)
  const source: Source = { random, instanceId: options.instanceId ?? `ins_${random.base62(27)}` }
  const events: Happening[] = []
  for (let index = 0; index < options.users; index += 1) events.push(...life(source, index, options))
  events.sort((a, b) => a.atMs - b.atMs)
  const repeated = withDuplicates(events, random, options.duplicates ?? 0)
  const ordered = options.shuffle === true ? random.shuffled(repeated) : repeated
  const deliveries = ordered.map(({ atMs: _atMs, ...delivery }) => delivery)
  return { deliveries, events: events.length }
}

interface Source {
  random: Random
  instanceId: string
}

type Happening = Delivery & { atMs: number }

function life(source: Source, index: number, { updates = 5, deletes = 0.1 }: HistoryOptions): Happening[] {
  const { random } = source
  const person = newPerson(random, index, HISTORY_STARTS_MS + random.integer(0, SIGN_UPS_OVER_MS))
  const events = [userEvent(source, 'user.created', person)]
  for (let left = random.integer(0, updates); left > 0; left -= 1) events.push(update(source, person))
  if (!random.chance(deletes)) return events
  events.push(deletion(source, person))
  if (random.chance(SHARE_OF_LATE_UPDATES)) events.push(update(source, person))
  return events
}

function update(source: Source, person: Person): Happening {
  const { random } = source
  if (!random.chance(SHARE_OF_TIES)) person.updatedAtMs += random.integer(1, LONGEST_PAUSE_MS)
  changePerson(person, random, person.updatedAtMs - random.integer(11, 34))
  return userEvent(source, 'user.updated', person)
}

function userEvent(source: Source, type: string, person: Person): Happening {
  const stampedMs = person.updatedAtMs + source.random.integer(4, 58)
  return happening(source, { type, objectId: person.id, stampedMs, data: userPayload(person) })
}

function deletion(source: Source, person: Person): Happening {
  const stampedMs = person.updatedAtMs + source.random.integer(1, LONGEST_PAUSE_MS)
  const data = { deleted: true, id: person.id, object: 'user' }
  person.updatedAtMs = stampedMs
  return happening(source, { type: 'user.deleted', objectId: person.id, stampedMs, data })
}

interface Occurrence {
  type: string
  objectId: string
  stampedMs: number
  data: object
}

function happening({ random, instanceId }: Source, { type, objectId, stampedMs, data }: Occurrence): Happening {
  const body = JSON.stringify({
    data,
    event_attributes: { http_request: { client_ip: `203.0.113.${random.integer(1, 254)}`, user_agent: USER_AGENT } },
    instance_id: instanceId,
    object: 'event',
    timestamp: stampedMs,
    type,
  })
  return { eventId: `msg_${random.base62(27)}`, type, objectId, body, atMs: stampedMs }
}

// From a network and a browser that do not exist: the addresses are reserved for documentation (RFC 5737).
const USER_AGENT =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36'

function withDuplicates(events: readonly Happening[], random: Random, share: number): Happening[] {
  const placed = events.map((event, place) => ({ event, place }))
  for (const [place, event] of events.entries()) {
    if (!random.chance(share)) continue
    const copies = random.chance(0.2) ? 2 : 1
    for (let copy = 0; copy < copies; copy += 1) {
      placed.push({ event, place: place + random.fraction() * REPEATED_WITHIN })
    }
  }
  return placed.sort((a, b) => a.place - b.place).map(({ event }) => event)
}
