import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseEnv } from 'node:util'
import type { Environment } from './start-plan.js'

/** The root of the repository, from this file in src/ or dist/ of its package. */
export const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

/**
 * Where `npm start` keeps everything: the servers' data, logs, the made-up secret, the settings of the running stack.
 */
export const DATA_DIR = join(ROOT, '.data')

/** A log that has grown beyond this is put aside at the next start; the one before it is deleted. */
const LONGEST_LOG_BYTES = 20 * 1024 * 1024

export function logFile(dataDir: string, name: string): string {
  const folder = join(dataDir, 'logs')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const path = join(folder, `${name}.log`)
  const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  if (bytes > LONGEST_LOG_BYTES) renameSync(path, `${path}.old`)
  return path
}

/** The signing secret that was made up for this folder's stack; made up now, if there is none yet. */
export const keptSigningSecret = (dataDir: string): string =>
  kept(join(dataDir, 'signing-secret'), () => `whsec_${randomBytes(24).toString('base64')}`)

/** The same of the account with which the console is looked at, in the form of CONSOLE_TOKEN. */
export const keptConsoleToken = (dataDir: string): string =>
  kept(join(dataDir, 'console-token'), () => `local:operator:${randomBytes(24).toString('base64url')}`)

/** Made anew where an older release made up a shorter one, which no process takes any more. */
function kept(path: string, makeUp: () => string): string {
  const made = makeUp()
  const known = existsSync(path) ? readFileSync(path, 'utf8').trim() : ''
  if (known.length >= made.length) return known
  writeFileSync(path, `${made}\n`, { mode: 0o600 })
  return made
}

const settingsPath = (dataDir: string) => join(dataDir, 'stack.env')

/**
 * The settings that the running stack chose for itself (ports, its secret, its own services), in the form of an `.env`
 * file: the same names configure every process, so `simulate` and the CLI reach the stack with them. Services and
 * secrets that came from the environment are not in it: a configured secret is not copied to another place.
 */
export function writeStackSettings(dataDir: string, settings: Readonly<Record<string, string>>): void {
  forgetStackSettings(dataDir) // an old file would keep its mode
  const lines = Object.entries(settings).map(([name, value]) => `${name}='${value}'\n`)
  writeFileSync(settingsPath(dataDir), lines.join(''), { mode: 0o600 })
}

export function forgetStackSettings(dataDir: string): void {
  rmSync(settingsPath(dataDir), { force: true })
}

/** The settings of the stack that runs from this folder; none when none runs. */
export function readStackSettings(dataDir: string): Environment {
  try {
    return parseEnv(readFileSync(settingsPath(dataDir), 'utf8')) as Record<string, string>
  } catch {
    return {}
  }
}
