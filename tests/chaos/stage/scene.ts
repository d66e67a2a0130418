import type { Random } from '../../../packages/devstack/src/random.js'
import type { DeadLetters } from '../load/dead-letters.js'
import type { Sender } from '../load/sender.js'
import type { Journal, Part } from '../oracle/journal.js'
import type { Clockwork } from '../oracle/lag.js'
import type { Totals } from '../totals.js'
import type { Fleet } from './fleet.js'
import type { Site } from './site.js'

/** Everything that a fault may touch, and its observers. */
export type Scene = {
  site: Site
  fleet: Fleet
  journal: Journal
  sender: Sender
  deadLetters: DeadLetters
  totals: Totals
  clockwork: Clockwork
  /** Takes down that something promised was not kept. */
  violated: (what: string, found: string) => void
  /** Events on which a connection was broken on purpose: they may use attempts. */
  trapped: Set<string>
  /** The id of an event that is to be sent soon. */
  nextEventId: () => Promise<string>
}

/** The fault's end, as performance.now(), and the processes that must be at work again. */
export type Ended = { endedAtMs: number } & Part

export type Fault = {
  name: string
  /** The way to ingest is slow or an ingest process is frozen: no refusal is timed. */
  slowsDoors?: true
  /** Not on every machine. */
  isPossible?: (site: Site) => boolean
  inject: (scene: Scene, random: Random) => Promise<Ended>
}
