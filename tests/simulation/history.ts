/** One event as Clerk has sent it: what arrives, however often and in whatever order. */
export type SimulatedEvent = { eventId: string; type: string; objectId: string; body: string }

/** The application writes its own: a user's tagline, and one block more. */
export type Edit = { userId: string; tagline: string; block: string }

export type Delivery = { applier: number; eventIds: readonly string[] }

/** What happens at the same time. The next round begins when all of it has ended. */
export type Round = {
  deliveries: readonly Delivery[]
  edits: readonly Edit[]
  /** An operator rebuilds all typed tables meanwhile. */
  rebuilds: boolean
  /** So many connections of the appliers are killed on the server. */
  kills: number
  /** A table that is away during this round, which is an outage for whoever needs it. */
  missingTable: string | null
}

/** Everything that the seed decides. JSON, so that a failing one can be kept and shrunk. */
export type History = { seed: number; events: readonly SimulatedEvent[]; rounds: readonly Round[] }

export const APPLIERS = 4

/** Stands in every name, address, URL and metadata value of an object, and is nobody's id. */
export const markerOf = (objectId: string): string => `mark-${objectId}-end`
