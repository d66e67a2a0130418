import { randomInt } from 'node:crypto'
import type { ProgressView } from './progress.js'
import { usersTable } from './report.js'
import type { Stack } from './stack.js'
import { type Environment, type StartPlan, setting } from './start-plan.js'
import { openTables } from './tables.js'
import { history } from './traffic.js'
import { type RunResult, runTraffic } from './traffic-run.js'

/** About a hundred events, which a person can still follow with the eye. */
const SAMPLE = { users: 24, updates: 5, deletes: 0.15, duplicates: 0.25, shuffle: true }
/** As many as Svix would have in flight for a small application; enough to arrive out of order. */
const CONCURRENCY = 8
const SHOWN_USERS = 12

export interface SampleOptions {
  plan: StartPlan
  isThrowAway: boolean
  signal: AbortSignal
  progress: ProgressView
  say: (line: string) => void
}

/** Sends the samples that the plan includes; undefined without any. Prints its steps and the resulting table. */
export async function sendSamples(stack: Stack, options: SampleOptions): Promise<RunResult | undefined> {
  const { plan, say, progress, signal, isThrowAway } = options
  if (plan.samples === 'never') return undefined
  await using tables = await openTables(setting(stack.settings, 'DATABASE_URL') ?? '')
  if (plan.samples === 'into empty tables' && !(await tables.areEmpty())) {
    const { total } = await tables.firstUsers(0)
    say(`\nThe tables hold ${total} users from before, so no samples are sent; npm start -- --sample sends some.`)
    return undefined
  }
  const traffic = history({ ...SAMPLE, seed: randomInt(2 ** 47), ...instanceOf(stack.settings) })
  const { deliveries, events } = traffic
  const again = `${deliveries.length - events} of them delivered again`
  say(`\nSample traffic: ${events} events of ${SAMPLE.users} people, shuffled, ${again}`)
  const result = await runTraffic(traffic, {
    url: stack.urls.webhooks,
    signingSecret: firstSecret(stack.settings),
    ...{ tables, concurrency: CONCURRENCY, signal },
    compare: isThrowAway ? 'everything' : 'own users',
    onProgress: (step) => progress.show(step),
  })
  progress.end()
  const { rows, total } = await tables.firstUsers(SHOWN_USERS)
  for (const line of ['', ...usersTable(rows, total), '']) say(line)
  return result
}

/** Ingest ignores events of any instance but the configured one. */
export function instanceOf(env: Environment): { instanceId?: string } {
  const instanceId = setting(env, 'CLERK_INSTANCE_ID')
  return instanceId === undefined ? {} : { instanceId }
}

/** The setting may list several while the secret is rotated; ingest accepts a signature by any of them. */
export function firstSecret(env: Environment): string {
  return setting(env, 'CLERK_WEBHOOK_SIGNING_SECRET')?.split(/[\s,]+/)[0] ?? ''
}
