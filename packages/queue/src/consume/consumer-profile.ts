import { EVENT_RETRIES, REACTION_RETRIES, type Retry } from '../job/retry-schedule.js'
import { BATCH_CONCURRENCY, BATCH_MAX, IN_FLIGHT_MAX, REACTION_RUNS } from '../limits.js'

/** How one worker consumes a queue. */
export type ConsumerProfile = {
  /** Events in flight at once. */
  inFlight: number
  /** Events in a batch, and batches that run at once. */
  batchSize: number
  batchConcurrency: number
  /** The last of these is the last try. */
  retries: readonly Retry[]
}

export const EVENT_CONSUMER_PROFILE: ConsumerProfile = {
  ...{ inFlight: IN_FLIGHT_MAX, batchSize: BATCH_MAX, batchConcurrency: BATCH_CONCURRENCY },
  retries: EVENT_RETRIES,
}

/** Each run is a batch of its own. */
export const REACTION_CONSUMER_PROFILE: ConsumerProfile = {
  ...{ inFlight: REACTION_RUNS, batchSize: 1, batchConcurrency: REACTION_RUNS },
  retries: REACTION_RETRIES,
}
