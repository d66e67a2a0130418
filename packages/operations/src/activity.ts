import { singleFlight } from '@clerk-mirror/runtime'
import { ACTIVITY_MINUTES, ACTIVITY_UNSETTLED_MINUTES } from './limits.js'

/** One minute. */
export type ActivityPoint = {
  /** When the minute began. */
  atMs: number
  /** Events by outcome: applied, duplicate, stale, tombstoned, ignored, erased, discarded. */
  outcomes: Readonly<Record<string, number>>
  /** Milliseconds from receipt to the table, of Clerk's own deliveries; null in a minute without any. */
  lagMedianMs: number | null
  lagMaxMs: number | null
}

const MINUTE_MS = 60_000

type Read = (sinceMs: number) => Promise<ActivityPoint[]>

/**
 * Remembers the minutes that are over: an hour of a busy ledger is millions of rows, and pages ask every few seconds.
 */
export class Activity {
  #known = new Map<number, ActivityPoint>()

  readonly lastHour = singleFlight((read: Read, nowMs: number) => this.#read(read, nowMs))

  async #read(read: Read, nowMs: number): Promise<ActivityPoint[]> {
    const thisMinuteMs = Math.floor(nowMs / MINUTE_MS) * MINUTE_MS
    const minutes = Array.from(
      { length: ACTIVITY_MINUTES },
      (_, index) => thisMinuteMs - (ACTIVITY_MINUTES - 1 - index) * MINUTE_MS,
    )
    const missingMs = minutes.find((atMs) => !this.#known.has(atMs)) ?? thisMinuteMs
    const found = new Map((await read(missingMs)).map((point) => [point.atMs, point]))
    const points = minutes.map((atMs) => found.get(atMs) ?? this.#known.get(atMs) ?? quiet(atMs))
    const settled = points.slice(0, -ACTIVITY_UNSETTLED_MINUTES)
    this.#known = new Map(settled.map((point) => [point.atMs, point]))
    return points
  }
}

const quiet = (atMs: number): ActivityPoint => ({ atMs, outcomes: {}, lagMedianMs: null, lagMaxMs: null })
