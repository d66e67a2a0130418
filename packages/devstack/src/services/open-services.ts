import { existsSync, rmSync } from 'node:fs'
import { Releasers } from '@clerk-mirror/runtime'
import { removeContainers } from './compose.js'
import { type Access, databaseRecord, type Tuning } from './database-server.js'
import { missingServices } from './install-advice.js'
import { claimFolder, ownerOf } from './owner.js'
import { redisRecord } from './redis-server.js'
import { endLeftOver, type ServerControl } from './server-process.js'
import { folderElsewhere } from './server-user.js'
import { type FoundServices, fromCompose, fromPackages, fromPrograms, type ServiceSource } from './service-sources.js'
import { makePrivateFolder, prepareSite, servicesFolder } from './site.js'

export interface ServicesOptions {
  /** Where private servers keep their data, from one start to the next. */
  readonly dataDir: string
  /** A configured server is taken as it is: it is not tried, and no private one ever takes its place. */
  readonly redisUrl?: string | undefined
  readonly databaseUrl?: string | undefined
  /** Takes one line for people about each step and each failure. */
  readonly say: (line: string) => void
  readonly tuning?: Tuning
  /** The one database that a private server's account may use. Without it, the account may do everything: for tests. */
  readonly database?: string
}

interface Service {
  readonly from: ServiceSource
  /** Of a server that this process started itself. */
  readonly control?: ServerControl
}

export interface Services extends AsyncDisposable {
  readonly redis: Service & { readonly url: string }
  /**
   * `adminUrl` names no database and ends in a slash; its account may create databases and accounts, unless `database`
   * was named.
   */
  readonly database: Service & { readonly adminUrl: string }
}

/**
 * A Redis and a MySQL or MariaDB: each as configured, else a private one from the programs on this machine, else from
 * Docker Compose, else from packages of the distribution. Dispose of it to stop the started servers; when this process
 * dies in any other way, the servers that it started from programs end by themselves.
 * Throws StackError: `no_redis`, `no_mysql`, `stack_running`.
 */
export async function openServices(options: ServicesOptions): Promise<Services> {
  const { dataDir, redisUrl, databaseUrl, say, tuning = 'durable', database: name } = options
  const access: Access = name === undefined ? 'administrator' : { database: name }
  await using owned = new Releasers()
  const found: FoundServices = {
    ...(redisUrl !== undefined && { redis: { url: redisUrl, from: 'environment' } }),
    ...(databaseUrl !== undefined && { database: { url: withoutDatabase(databaseUrl), from: 'environment' } }),
  }
  const missing = () => (['redis', 'database'] as const).filter((name) => !found[name])

  if (missing().length > 0) {
    const folder = servicesFolder(dataDir)
    makePrivateFolder(folder)
    owned.use(claimFolder(folder))
    await endLeftOvers(folder, say)
    const search = { site: await prepareSite(folder, say), tuning, access, owned }
    // Where a service is configured, the machine is not ours, and nothing is installed on it.
    const isOwnStack = redisUrl === undefined && databaseUrl === undefined
    for (const source of [fromPrograms, fromCompose, ...(isOwnStack ? [fromPackages] : [])]) {
      if (missing().length > 0) Object.assign(found, await source(search, missing()))
    }
  }
  const { redis, database } = found
  if (!redis || !database) throw missingServices(missing())
  const { url: adminUrl, ...service } = database
  const release = owned.move()
  return { redis, database: { ...service, adminUrl }, [Symbol.asyncDispose]: () => release[Symbol.asyncDispose]() }
}

/** The process id of the running stack with private servers on this data folder. */
export function stackOwner(dataDir: string): number | undefined {
  const folder = servicesFolder(dataDir)
  return existsSync(folder) ? ownerOf(folder)?.pid : undefined
}

/**
 * Ends servers that a killed stack left behind and removes containers with their data, so that the folder can be
 * deleted. Throws StackError `stack_running`.
 */
export async function removeServices(dataDir: string, say: (line: string) => void): Promise<void> {
  const folder = servicesFolder(dataDir)
  if (!existsSync(folder)) return
  using _claim = claimFolder(folder)
  await endLeftOvers(folder, say)
  await removeContainers(folder)
  const elsewhere = folderElsewhere(folder)
  if (elsewhere !== undefined) rmSync(elsewhere, { recursive: true, force: true })
}

async function endLeftOvers(folder: string, say: (line: string) => void): Promise<void> {
  await Promise.all([
    endLeftOver('Redis', redisRecord(folder), say),
    endLeftOver('database server', databaseRecord(folder), say),
  ])
}

// By text, because the parser's error would show the password of a URL with a fault.
const withoutDatabase = (url: string) => url.replace(/^(\w+:\/\/[^/?#]*).*$/, '$1/')
