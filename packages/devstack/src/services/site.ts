import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { choosePort } from './ports.js'

export type ServiceName = 'redis' | 'database'

/** The context that the private servers of one data folder share. */
export interface StackSite {
  /** A folder of the servers' own, readable by its user alone. */
  readonly folder: string
  /** On 127.0.0.1; the same as last time where they are still free. */
  readonly ports: Readonly<Record<ServiceName, number>>
  /** Of Redis and of the database account: other users of this machine can reach the ports. */
  readonly password: string
  readonly say: (line: string) => void
}

export const servicesFolder = (dataDir: string) => join(resolve(dataDir), 'services')

/** The folder must be this process's own (owner.ts). */
export async function prepareSite(folder: string, say: (line: string) => void): Promise<StackSite> {
  return { folder, ports: await choosePorts(folder), password: keptPassword(folder), say }
}

async function choosePorts(folder: string): Promise<StackSite['ports']> {
  const path = join(folder, 'ports.json')
  const remembered: Partial<Record<ServiceName, number>> = JSON.parse(readIfThere(path) ?? '{}')
  const redis = await choosePort(remembered.redis)
  let database = await choosePort(remembered.database)
  while (database === redis) database = await choosePort()
  writeWhole(path, JSON.stringify({ redis, database }))
  return { redis, database }
}

function keptPassword(folder: string): string {
  const path = join(folder, 'password')
  const kept = readIfThere(path)
  if (kept !== undefined) return kept
  const password = randomBytes(24).toString('hex') // needs no quoting in SQL, redis.conf or a URL
  writeWhole(path, password)
  return password
}

export function makePrivateFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** In one step, so that a start that is killed in the middle leaves the old content or the new. */
function writeWhole(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}
