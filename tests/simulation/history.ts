/** One event as Clerk has sent it: it arrives any number of times, in any order. */
export type SimulatedEvent = { eventId: string; type: string; objectId: string; body: string }

/** The application writes its own: a user's tagline, and one block more. */
export type Edit = { userId: string; tagline: string; block: string }

export type Delivery = { applier: number; eventIds: readonly string[] }

/** Concurrent steps. The next round begins when all of them have ended. */
export type Round = {
  deliveries: readonly Delivery[]
  edits: readonly Edit[]
  /** An operator rebuilds all typed tables meanwhile. */
  rebuilds: boolean
  /** So many connections of the appliers are killed on the server. */
  kills: number
  /** A table that is away during this round: an outage for every event that needs it. */
  missingTable: string | null
}

/** Everything that the seed decides. JSON, so that a failing one can be kept and shrunk. */
export type History = { seed: number; events: readonly SimulatedEvent[]; rounds: readonly Round[] }

export const APPLIERS = 4

/** Stands in every name, address, URL and metadata value of an object, and is no id. */
export const markerOf = (objectId: string): string => `mark-${objectId}-end`
