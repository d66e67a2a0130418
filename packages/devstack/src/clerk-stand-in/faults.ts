import type { Random } from '../random.js'

/** Chances from 0 to 1 that one request meets a fault, and how bad it is. */
export type StandInFaults = {
  /** 429 with Retry-After, and without. */
  throttled: number
  throttledBare: number
  /** 500 and 503. */
  failed: number
  /** The connection is reset before an answer. */
  reset: number
  /** The answer takes `slowMs`. */
  slow: number
  slowMs: number
  /** The JSON ends in the middle: under a length that fits it, or with the connection. */
  truncated: number
  /** A page by offset begins a row too early or too late. */
  shifted: number
  /** Seconds in a Retry-After. */
  retryAfterS: number
}

export const NO_FAULTS: StandInFaults = {
  ...{ throttled: 0, throttledBare: 0, failed: 0, reset: 0, slow: 0, slowMs: 500, truncated: 0, shifted: 0 },
  retryAfterS: 1,
}

export type Fault = 'throttled' | 'throttledBare' | 'failed' | 'reset' | 'truncated'

/** In the order in which they are drawn; at most one meets a request. */
const DRAWN = ['throttled', 'throttledBare', 'failed', 'reset', 'truncated'] as const satisfies readonly Fault[]

export function drawFault(random: Random, faults: StandInFaults): Fault | undefined {
  return DRAWN.find((fault) => random.chance(faults[fault]))
}

/** Rows by which a page is moved. */
export const drawShift = (random: Random, { shifted }: StandInFaults): number =>
  random.chance(shifted) ? random.pick([-2, -1, 1, 2]) : 0
