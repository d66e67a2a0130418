import { type Random, seededRandom } from '../../../packages/devstack/src/random.js'
import { act, addOrganization, addUser } from '../../simulation/actions.js'
import { type Clerk, openClerk, pass } from '../../simulation/clerk.js'
import type { SimulatedEvent } from '../../simulation/history.js'

/** The next thing to send. */
export type Item =
  | { kind: 'event'; event: SimulatedEvent }
  /** An event with an unreadable first delivery; the same id comes again with its right body. */
  | { kind: 'cursed'; event: SimulatedEvent; broken: SimulatedEvent; cure: Cure }
  /** Unreadable for ever: an operator discards it. */
  | { kind: 'poison'; broken: SimulatedEvent }
  /** Signed with another secret. */
  | { kind: 'forged'; event: SimulatedEvent }

/** The cure of the dead letter: Clerk resends it, alone, while an operator discards it, or after a replay. */
export type Cure = (typeof CURES)[number]
const CURES = ['resent', 'resent while it is discarded', 'resent after a replay'] as const

/** Small worlds that are told of at the same time: so many that batches are mixed, so few that workers meet. */
const WORLDS = 12
const SHORTEST_WORLD = 30
const LONGEST_WORLD = 90
/** Events stray so far from their order. */
const DISORDER = 6
const AGAIN_SHARE = 0.08
const AGAIN_WITHIN = 400
const FORGED_SHARE = 0.002
/** Of the events that become dead letters, so many have no right body that could follow. */
const POISON_SHARE = 0.1

type World = { clerk: Clerk; taken: number; length: number; pending: SimulatedEvent[] }

export type StreamOptions = { seed: number; cursedShare: number }

/**
 * Endless signed traffic, the same for the same seed: people and organizations in small independent worlds, duplicates,
 * disorder, poison, forgeries. `delivered` has the events taken so far, world by world.
 */
export class Stream {
  readonly delivered: SimulatedEvent[][] = []
  readonly #random: Random
  readonly #cursedShare: number
  readonly #worlds: (World & { told: SimulatedEvent[] })[] = []
  readonly #again: { at: number; event: SimulatedEvent; told?: SimulatedEvent[] }[] = []
  #taken = 0

  constructor({ seed, cursedShare }: StreamOptions) {
    this.#random = seededRandom(seed)
    this.#cursedShare = cursedShare
    for (let count = 0; count < WORLDS; count += 1) this.#worlds.push(this.#newWorld())
  }

  next(): Item {
    this.#taken += 1
    const random = this.#random
    const again = this.#again.findIndex(({ at }) => at <= this.#taken)
    if (again >= 0) {
      const [{ event, told } = missing()] = this.#again.splice(again, 1)
      told?.push(event)
      return { kind: 'event', event }
    }
    const { event, told } = this.#nextEvent()
    const stranger = { ...event, eventId: `msg_${random.base62(13)}` }
    const isForged = random.chance(FORGED_SHARE)
    if (isForged || random.chance(this.#cursedShare * POISON_SHARE)) {
      // The event itself is still owed.
      this.#again.push({ at: this.#taken, event, told })
      return isForged ? { kind: 'forged', event: stranger } : { kind: 'poison', broken: broken(stranger) }
    }
    told.push(event)
    // A cursed one comes only once by itself: a duplicate would be its cure before it is a dead letter.
    if (random.chance(this.#cursedShare))
      return { kind: 'cursed', event, broken: broken(event), cure: random.pick(CURES) }
    if (random.chance(AGAIN_SHARE)) this.#again.push({ at: this.#taken + random.integer(1, AGAIN_WITHIN), event })
    return { kind: 'event', event }
  }

  /**
   * The remaining events of every world's story: without the acceptance of its invitation, the address of a deleted
   * user would stay. Ends the stream.
   */
  rest(): Item[] {
    const owed = this.#again.splice(0).flatMap(({ event, told }) => (told ? [{ event, told }] : []))
    const pending = this.#worlds.flatMap(({ pending: events, told }) => events.map((event) => ({ event, told })))
    for (const { event, told } of [...owed, ...pending]) told.push(event)
    return [...owed, ...pending].map(({ event }) => ({ kind: 'event', event }))
  }

  #nextEvent(): { event: SimulatedEvent; told: SimulatedEvent[] } {
    const random = this.#random
    const index = random.integer(0, WORLDS - 1)
    const world = this.#worlds[index] ?? missing()
    while (world.pending.length < DISORDER && world.taken < world.length) tellMore(world)
    const place = random.integer(0, Math.min(DISORDER, world.pending.length) - 1)
    const [event = missing()] = world.pending.splice(place, 1)
    if (world.pending.length === 0) this.#worlds[index] = this.#newWorld()
    return { event, told: world.told }
  }

  #newWorld(): World & { told: SimulatedEvent[] } {
    const clerk = openClerk(this.#random)
    for (let count = 0; count < 2; count += 1) addUser(clerk)
    addOrganization(clerk)
    const told: SimulatedEvent[] = []
    this.delivered.push(told)
    const pending = clerk.events.slice()
    return {
      clerk,
      pending,
      taken: pending.length,
      length: this.#random.integer(SHORTEST_WORLD, LONGEST_WORLD),
      told,
    }
  }
}

/** Not every act has something to tell: then the next one. */
function tellMore(world: World): void {
  pass(world.clerk)
  act(world.clerk)
  world.pending.push(...world.clerk.events.slice(world.taken))
  world.taken = world.clerk.events.length
}

/** A body with an object id that is no Clerk id: decoding fails at every try. */
function broken(event: SimulatedEvent): SimulatedEvent {
  const body = JSON.parse(event.body)
  return { ...event, body: JSON.stringify({ ...body, data: { ...body.data, id: 'no id at all' } }) }
}

function missing(): never {
  throw new Error('the stream has lost its place')
}
