import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openServices, type Services } from '@clerk-mirror/devstack'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  export interface ProvidedContext {
    /** A Redis for all tests of the run: each uses a key prefix of its own. */
    redisUrl: string
    /** Of an account that may create databases; each test file puts the name of its own into the path. */
    databaseUrl: string
  }
}

const CONNECT_TIMEOUT_S = 10

// The one place where tests read the environment. Never REDIS_URL or DATABASE_URL: those may lead to real data.
const { TEST_REDIS_URL: redisUrl, TEST_DATABASE_URL: databaseUrl } = process.env

/** Runs once for each project that needs servers; all of them share the ones that the first has started. */
export async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const run = project.vitest.getRootProject()
  if ('redisUrl' in run.getProvidedContext()) return undefined

  const dataDir = mkdtempSync(join(tmpdir(), 'clerk-mirror-test-'))
  const say = (line: string) => process.stderr.write(`${line}\n`)
  const remove = () => rmSync(dataDir, { recursive: true, force: true, maxRetries: 10 })
  try {
    const services = await openServices({ dataDir, redisUrl, databaseUrl, say, tuning: 'fast-throwaway' })
    const removeAtOnce = () => {
      killServers(services)
      remove()
    }
    process.once('exit', removeAtOnce)
    run.provide('redisUrl', services.redis.url)
    run.provide('databaseUrl', patient(databaseUrl ?? services.database.adminUrl)) // with the settings that it carries
    return async () => {
      process.off('exit', removeAtOnce)
      await services[Symbol.asyncDispose]()
      remove()
    }
  } catch (error) {
    remove()
    throw error
  }
}

/** No test stops this server: a connect that takes long says that the machine is busy, and fails nothing. */
function patient(databaseUrl: string): string {
  const url = new URL(databaseUrl)
  if (!url.searchParams.has('connect_timeout')) url.searchParams.set('connect_timeout', String(CONNECT_TIMEOUT_S))
  return url.href
}

/** On Ctrl-C the runner exits a millisecond later: no time to stop anything in an orderly way, and no need to. */
function killServers({ redis, database }: Services): void {
  for (const { control } of [redis, database]) void control?.kill() // signals before it waits
}
