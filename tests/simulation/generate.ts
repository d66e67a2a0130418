import { type Random, seededRandom } from '../../packages/devstack/src/random.js'
import { act, addOrganization, addUser } from './actions.js'
import { openClerk, pass } from './clerk.js'
import {
  APPLIERS,
  type Delivery,
  type Edit,
  type History,
  markerOf,
  type Round,
  type SimulatedEvent,
} from './history.js'

/** A history from its seed: Clerk's events and their deliveries. The same on every machine. */
export function generate(seed: number): History {
  const random = seededRandom(seed)
  const clerk = openClerk(random)
  for (let count = random.integer(1, 3); count > 0; count -= 1) addUser(clerk)
  for (let count = random.integer(1, 2); count > 0; count -= 1) addOrganization(clerk)
  for (let count = random.integer(8, 40); count > 0; count -= 1) {
    pass(clerk)
    act(clerk)
  }
  const events = clerk.events
  const rounds = roundsOf(inOrderOfDelivery(events, random), random)
  const userIds = clerk.objects.filter(({ kind }) => kind === 'user').map(({ id }) => id)
  return { seed, events, rounds: rounds.map((round, index) => ({ ...round, edits: editsOf(userIds, index, random) })) }
}

/** Each at least once. How far events stray from their order differs from history to history. */
function inOrderOfDelivery(events: readonly SimulatedEvent[], random: Random): string[] {
  const disorder = random.pick([0, 3, 10, events.length, events.length])
  const direction = random.chance(0.15) ? -1 : 1
  const twice = random.pick([0, 0.1, 0.5])
  const places = events.flatMap(({ eventId }, index) => {
    const first = direction * index + random.fraction() * disorder
    const again = first + random.fraction() * events.length
    return random.chance(twice)
      ? [
          { eventId, at: first },
          { eventId, at: again },
        ]
      : [{ eventId, at: first }]
  })
  return places.sort((a, b) => a.at - b.at).map(({ eventId }) => eventId)
}

const TABLES_THAT_GO_AWAY = ['users', 'blocks', 'organizations', 'organization_memberships'] as const

function roundsOf(eventIds: readonly string[], random: Random): Round[] {
  const greatestBatch = random.pick([1, 1, 2, 4, 12])
  const rounds: Round[] = []
  for (let from = 0; from < eventIds.length; ) {
    const deliveries: Delivery[] = []
    for (let applier = 0; applier < APPLIERS && from < eventIds.length; applier += 1) {
      const before = deliveries.at(-1)
      // A lease was lost: two hold the same batch, the second perhaps in another order.
      const isLostLease = before !== undefined && random.chance(0.12)
      const size = random.integer(1, greatestBatch)
      const batch = isLostLease ? random.shuffled(before.eventIds) : eventIds.slice(from, from + size)
      if (!isLostLease) from += size
      deliveries.push({ applier, eventIds: batch })
    }
    const rebuilds = random.chance(0.2)
    const kills = random.chance(0.1) ? random.integer(1, 2) : 0
    const missingTable = random.chance(0.02) ? random.pick(TABLES_THAT_GO_AWAY) : null
    rounds.push({ deliveries, edits: [], rebuilds, kills, missingTable })
  }
  return rounds
}

function editsOf(userIds: readonly string[], round: number, random: Random): Edit[] {
  if (random.chance(0.6)) return []
  const userId = userIds[random.integer(0, userIds.length - 1)]
  if (userId === undefined) return []
  const text = `${markerOf(userId)} in round ${round}`
  return [{ userId, tagline: `tagline ${text}`, block: `block ${text}` }]
}
