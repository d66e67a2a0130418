import { noTotals, type Totals } from './totals.js'

/** How far a run has come, so that one that was interrupted goes on with the round in which it stopped. */
export type RunState = {
  seed: number
  minutes: number
  only: string | null
  elapsedMs: number
  /** Of the next round. */
  faultIndex: number
  /** Events of each round that is over. */
  taken: number[]
  /** Events that the round which runs may have sent. */
  reserved: number
  totals: Totals
}

export const newState = (run: Pick<RunState, 'seed' | 'minutes' | 'only'>): RunState => ({
  ...run,
  ...{ elapsedMs: 0, faultIndex: 0, taken: [], reserved: 0, totals: noTotals() },
})

export const isState = (value: unknown): value is RunState =>
  typeof value === 'object' &&
  value !== null &&
  ['seed', 'minutes', 'elapsedMs', 'faultIndex', 'reserved'].every((key) => Number.isFinite(Reflect.get(value, key))) &&
  Array.isArray(Reflect.get(value, 'taken'))
