import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** How far a run has come, so that one that was interrupted goes on where it stopped. */
export type RunState = { firstSeed: number; minutes: number; histories: number; elapsedMs: number }

/** Null when there is none, or none that can be read. */
export function readState(path: string): RunState | null {
  try {
    const state: unknown = JSON.parse(readFileSync(path, 'utf8'))
    return isState(state) ? state : null
  } catch {
    return null
  }
}

const isState = (value: unknown): value is RunState =>
  typeof value === 'object' &&
  value !== null &&
  ['firstSeed', 'minutes', 'histories', 'elapsedMs'].every((key) => Number.isFinite(Reflect.get(value, key)))

export function writeState(path: string, state: RunState): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, JSON.stringify(state))
}

export const removeState = (path: string): void => rmSync(path, { force: true })
