import { BATCH_MAX, IN_FLIGHT_MAX, LANES, REACTION_RETRY_DELAYS_MS, REACTION_RUNS, RETRY_DELAYS_MS } from './policy.js'

/** How a queue is worked on, by one worker. */
export type Pace = {
  /** In hand at once. */
  inFlight: number
  /** Handled together, and how many such batches at once. */
  batch: number
  lanes: number
  /** After the last of these delays follows the last try. `randomShare`: of each delay, the part that is random. */
  retries: { delaysMs: readonly number[]; randomShare: number }
}

/** Retries are spread over the whole of their delays, for what an outage fails, it fails in crowds. */
export const EVENTS_PACE: Pace = {
  ...{ inFlight: IN_FLIGHT_MAX, batch: BATCH_MAX, lanes: LANES },
  retries: { delaysMs: RETRY_DELAYS_MS, randomShare: 1 },
}

/** Each run stands alone, and a day of patience stays most of a day. */
export const REACTION_PACE: Pace = {
  ...{ inFlight: REACTION_RUNS, batch: 1, lanes: REACTION_RUNS },
  retries: { delaysMs: REACTION_RETRY_DELAYS_MS, randomShare: 0.2 },
}
