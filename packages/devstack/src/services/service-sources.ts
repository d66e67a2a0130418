import type { Releasers } from '@clerk-mirror/runtime'
import { findCompose, removeContainers, startContainers } from './compose.js'
import { databaseAnswers } from './database-answers.js'
import { findDatabaseServer } from './database-files.js'
import { type Access, DATABASE_ACCOUNT, startDatabase, type Tuning } from './database-server.js'
import { installPackages } from './debian-packages.js'
import { findRedisServer, redisAnswers, startRedis } from './redis-server.js'
import type { ServerControl, ServerProcess } from './server-process.js'
import type { ServiceName, StackSite } from './site.js'
import { StackError } from './stack-error.js'

export type ServiceSource = 'environment' | 'program' | 'compose' | 'packages'

export interface FoundService {
  /** For the database: without a database's name, with a slash at the end. */
  readonly url: string
  readonly from: ServiceSource
  readonly control?: ServerControl
}

export type FoundServices = Partial<Record<ServiceName, FoundService>>

export interface Search {
  readonly site: StackSite
  readonly tuning: Tuning
  readonly access: Access
  /** Takes over the started servers, to stop them in the end. */
  readonly owned: Releasers
}

/** One place to get services from: gives those that it has, and says why one that it should have did not start. */
export type Source = (search: Search, missing: readonly ServiceName[]) => Promise<FoundServices>

export const fromPrograms: Source = (search, missing) => startPrograms(search, missing, 'program')

export const fromPackages: Source = async (search, missing) => {
  const installed = await installPackages(missing, search.site.say)
  return installed ? startPrograms(search, missing, 'packages') : {}
}

export const fromCompose: Source = async ({ site, tuning, access, owned }, missing) => {
  const compose = await findCompose(site.folder)
  if (!compose) return {}
  owned.defer(() => (tuning === 'durable' ? compose('stop') : removeContainers(site.folder)))
  const found = await orNotice(site, async () => {
    await startContainers(compose, missing, site)
    return await answeringContainers(missing, site, access)
  })
  return found ?? {}
}

/** They are asked from here: that they are healthy inside does not mean that their ports reach this machine. */
async function answeringContainers(
  names: readonly ServiceName[],
  site: StackSite,
  access: Access,
): Promise<FoundServices> {
  const { ports, password, say } = site
  // The image gives the other account its one database.
  const user = access === 'administrator' ? 'root' : DATABASE_ACCOUNT
  const containers = {
    redis: { url: redisUrl(site), answers: () => redisAnswers({ port: ports.redis, password }) },
    database: {
      url: databaseUrl(user, site),
      answers: () => databaseAnswers({ port: ports.database, user, password }),
    },
  }
  const found: FoundServices = {}
  for (const name of names) {
    const { url, answers } = containers[name]
    if (await answers()) found[name] = { url, from: 'compose' }
    else say(`the ${name} that Docker Compose started does not answer on port ${ports[name]}`)
  }
  return found
}

async function startPrograms(search: Search, missing: readonly ServiceName[], from: ServiceSource) {
  const start = { redis: startRedisProgram, database: startDatabaseProgram }
  const found: FoundServices = {}
  const starts = missing.map(async (name) => {
    const service = await orNotice(search.site, () => start[name](search, from))
    if (service) found[name] = service
  })
  // Both settle before an error is thrown: a server that still starts would have no owner.
  for (const outcome of await Promise.allSettled(starts)) if (outcome.status === 'rejected') throw outcome.reason
  return found
}

async function startRedisProgram({ site, owned }: Search, from: ServiceSource): Promise<FoundService | undefined> {
  const program = await findRedisServer()
  if (program === undefined) return undefined
  const control = own(owned, await startRedis(program, site))
  return { url: redisUrl(site), from, control }
}

async function startDatabaseProgram(search: Search, from: ServiceSource): Promise<FoundService | undefined> {
  const { site, tuning, access, owned } = search
  const program = await findDatabaseServer()
  if (program === undefined) return undefined
  const control = own(owned, await startDatabase(program, tuning, access, site))
  return { url: databaseUrl(DATABASE_ACCOUNT, site), from, control }
}

function own(owned: Releasers, server: ServerProcess): ServerProcess {
  owned.defer(() => server.stop())
  return server
}

const redisUrl = ({ ports, password }: StackSite) => `redis://:${password}@127.0.0.1:${ports.redis}`

const databaseUrl = (account: string, { ports, password }: StackSite) =>
  `mysql://${account}:${password}@127.0.0.1:${ports.database}/`

/** The result of the step; or undefined and a notice, when it failed in a way that another source may make up for. */
async function orNotice<T>({ say }: StackSite, step: () => Promise<T>): Promise<T | undefined> {
  try {
    return await step()
  } catch (error) {
    if (!(error instanceof StackError)) throw error
    say(error.message)
    return undefined
  }
}
