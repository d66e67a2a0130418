/** How far a run has come, so that one that was interrupted goes on where it stopped. */
export type RunState = { firstSeed: number; minutes: number; histories: number; elapsedMs: number }

export const isState = (value: unknown): value is RunState =>
  typeof value === 'object' &&
  value !== null &&
  ['firstSeed', 'minutes', 'histories', 'elapsedMs'].every((key) => Number.isFinite(Reflect.get(value, key)))
