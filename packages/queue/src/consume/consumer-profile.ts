import { BATCH_MAX, IN_FLIGHT_MAX, LANES, REACTION_RETRY_DELAYS_MS, REACTION_RUNS, RETRY_DELAYS_MS } from '../limits.js'

/** How a queue is worked on, by one worker. */
export type Pace = {
  /** In hand at once. */
  inFlight: number
  /** Handled together, and how many such batches at once. */
  batch: number
  lanes: number
  /** After the last of these delays follows the last try. */
  retryDelaysMs: readonly number[]
}

export const EVENTS_PACE: Pace = {
  ...{ inFlight: IN_FLIGHT_MAX, batch: BATCH_MAX, lanes: LANES },
  retryDelaysMs: RETRY_DELAYS_MS,
}

/** Each run stands alone. */
export const REACTION_PACE: Pace = {
  ...{ inFlight: REACTION_RUNS, batch: 1, lanes: REACTION_RUNS },
  retryDelaysMs: REACTION_RETRY_DELAYS_MS,
}
