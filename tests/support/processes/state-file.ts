import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** Null when there is none, or none that can be read. */
export function readState<State>(path: string, isState: (value: unknown) => value is State): State | null {
  try {
    const state: unknown = JSON.parse(readFileSync(path, 'utf8'))
    return isState(state) ? state : null
  } catch {
    return null
  }
}

/** In one step: a process killed in the middle leaves the old state or the new. */
export function writeState(path: string, state: unknown): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(`${path}.new`, JSON.stringify(state))
  renameSync(`${path}.new`, path)
}

export const removeState = (path: string): void => rmSync(path, { force: true })
