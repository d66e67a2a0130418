import type { ClerkApi } from '@clerk-mirror/clerk-api'
import type { ClerkStandIn } from '@clerk-mirror/devstack'
import { type Mirror, openMirror } from '@clerk-mirror/mirror'
import { OperationsError, type ProbeOptions, probe } from '@clerk-mirror/operations'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { runCommand } from '../../../apps/cli/src/run-command.js'
import { decodedEvent, TIME_BASE } from '../../support/builders.js'
import { clientOf, EPOCH_MS, idOf, nth, openClerkPair, putMany } from '../../support/clerk-stand-in.js'
import { openTestDatabase, type TestDatabase } from '../../support/mysql/database.js'
import { Written } from '../../support/written.js'

let database: TestDatabase
let mirror: Mirror
let pair: Awaited<ReturnType<typeof openClerkPair>>
let clerk: ClerkStandIn
let api: ClerkApi
beforeEach(async () => {
  database = await openTestDatabase()
  mirror = openMirror(database.options)
  pair = await openClerkPair({}, { instanceId: 'ins_probed' })
  ;({ clerk, api } = pair)
})
afterEach(async () => {
  vi.restoreAllMocks()
  await pair[Symbol.asyncDispose]()
  await mirror[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

/** The users of the stand-in come here by their webhooks. */
async function deliver(ids: readonly string[], members: object = {}): Promise<void> {
  const events = ids.map((id) => {
    const { updated_at: updatedAtMs, ...user } = JSON.parse(clerk.get('user', id) ?? '{}')
    return decodedEvent('user.updated', id, { data: { ...user, ...members }, at: updatedAtMs - TIME_BASE })
  })
  for (let at = 0; at < events.length; at += 64) await mirror.apply(events.slice(at, at + 64))
}

const probed = (options: Partial<ProbeOptions> = {}) =>
  probe(api, mirror, {
    ...{ instanceId: 'ins_probed', signal: AbortSignal.timeout(60_000), onProgress: () => {}, recountAfterMs: 0 },
    ...options,
  })

test('users that both have are in sync, in few requests', async () => {
  putMany(clerk, 'user', 1_000)
  await deliver(clerk.ids('user'))
  expect(await probed()).toEqual({
    ...{ clerk: 1_000, here: 1_000, erased: 0, windows: [], newest: 1_000, missing: [], stale: [] },
  })
  expect(clerk.requests.length).toBeLessThanOrEqual(300)
})

test('the windows with a user who is missing here, or there, are named with both counts', async () => {
  putMany(clerk, 'user', 1_000)
  await deliver(clerk.ids('user').filter((id) => id !== idOf('user', 500)))
  clerk.delete('user', idOf('user', 100))
  const { windows, missing, stale, clerk: atClerk, here } = await probed()
  expect([atClerk, here]).toEqual([999, 999])
  expect(windows).toHaveLength(2)
  const [extra, lacking] = windows
  expect((extra?.here ?? 0) - (extra?.clerk ?? 0)).toBe(1)
  expect((lacking?.clerk ?? 0) - (lacking?.here ?? 0)).toBe(1)
  const at = (n: number) => EPOCH_MS + n * 1_000
  expect(extra?.fromMs).toBeLessThanOrEqual(at(100))
  expect(extra?.toMs).toBeGreaterThan(at(100))
  expect(lacking?.fromMs).toBeLessThanOrEqual(at(500))
  expect(lacking?.toMs).toBeGreaterThan(at(500))
  expect({ missing, stale }).toEqual({ missing: [idOf('user', 500)], stale: [] })
  expect(clerk.requests.length).toBeLessThanOrEqual(300)
})

test.each([false, true])(
  'an empty mirror differs in its one window, borders at Clerk included: %s',
  async (includesBorders) => {
    clerk.behaviour.includesBorders = includesBorders
    putMany(clerk, 'user', 3)
    const { windows, missing } = await probed()
    expect(windows).toMatchObject([{ fromMs: null, clerk: 3, here: 0 }])
    expect(missing).toHaveLength(3)
  },
)

test('many users of one millisecond are in sync, borders at Clerk included or not', async () => {
  for (let n = 0; n < 400; n += 1) clerk.put('user', nth('user', n, { created_at: EPOCH_MS + Math.floor(n / 90) }))
  await deliver(clerk.ids('user'))
  expect((await probed()).windows).toEqual([])
  clerk.behaviour.includesBorders = true
  expect((await probed()).windows).toEqual([])
})

test('a user is stale when Clerk has a newer version that differs in more than what a sign-in moves', async () => {
  putMany(clerk, 'user', 3)
  await deliver(clerk.ids('user'))
  const later = EPOCH_MS + 90_000
  clerk.put('user', nth('user', 0, { updated_at: later, last_sign_in_at: later, last_active_at: later }))
  clerk.put('user', nth('user', 1, { updated_at: later, username: 'ada' }))
  expect(await probed()).toMatchObject({ windows: [], missing: [], stale: [idOf('user', 1)] })
})

test('a member that only webhooks deliver is no difference', async () => {
  putMany(clerk, 'user', 1)
  await deliver(clerk.ids('user'), { scim: { active: true } })
  clerk.put('user', nth('user', 0, { updated_at: EPOCH_MS + 90_000 }))
  expect(await probed()).toMatchObject({ stale: [] })
})

test('users of the last ten minutes, whose events may be on their way, are not judged', async () => {
  putMany(clerk, 'user', 5)
  await deliver(clerk.ids('user'))
  const aMinuteAgo = Date.now() - 60_000
  clerk.put('user', nth('user', 9, { created_at: aMinuteAgo, updated_at: aMinuteAgo }))
  clerk.put('user', nth('user', 1, { updated_at: aMinuteAgo, username: 'ada' }))
  expect(await probed()).toMatchObject({ clerk: 5, here: 5, windows: [], missing: [], stale: [], newest: 4 })
})

test('a user who was deleted between the count there and the one here is no drift', async () => {
  putMany(clerk, 'user', 10)
  await deliver(clerk.ids('user'))
  clerk.delete('user', idOf('user', 4))
  const events = [decodedEvent('user.deleted', idOf('user', 4), { data: { deleted: true }, at: 99_000 })]
  let readings = 0
  const delayed: Mirror = {
    ...mirror,
    // The webhook comes after the first reading.
    async userTimes(after) {
      readings += 1
      if (readings === 2) await mirror.apply(events)
      return mirror.userTimes(after)
    },
  }
  const options = { instanceId: undefined, signal: AbortSignal.timeout(60_000), onProgress: () => {} }
  const result = await probe(api, delayed, { ...options, recountAfterMs: 0 })
  expect(result).toMatchObject({ windows: [], clerk: 9, here: 9 })
  expect(readings).toBe(2)
})

test('a user who was erased here and lives at Clerk is counted apart, and is no drift', async () => {
  putMany(clerk, 'user', 50)
  await deliver(clerk.ids('user'))
  const erased = idOf('user', 7)
  const begun = await mirror.beginErase({ userId: erased, actor: 'ada@test' })
  if (begun.kind !== 'begun') throw new Error(begun.kind)
  await mirror.eraseUser({ userId: erased, actionId: begun.actionId })
  expect(await probed()).toMatchObject({ clerk: 49, here: 49, erased: 1, windows: [], missing: [], stale: [] })
})

test('a key of another instance, a revoked key and an interruption compare nothing', async () => {
  const error = await probed({ instanceId: 'ins_other' }).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(OperationsError)
  expect(error).toMatchObject({ code: 'clerk_instance_mismatch' })
  expect(clerk.requests.map(({ endpoint }) => endpoint)).toEqual(['/instance'])
  clerk.isRevoked = true
  await using other = clientOf(clerk)
  const options = { instanceId: undefined, signal: AbortSignal.timeout(60_000), onProgress: () => {} }
  await expect(probe(other, mirror, options)).rejects.toMatchObject({ code: 'clerk_api_key_refused' })
})

test('the command says in words and in JSON what differs, and exits with 0, 3, 1 or 2', async () => {
  const written = new Written()
  written.keep()
  const env = { DATABASE_URL: database.url, CLERK_API_URL: clerk.url, CLERK_SECRET_KEY: clerk.secretKey }
  const ops = (...words: string[]) => runCommand(['probe', '--rate', '100', ...words], env)
  putMany(clerk, 'user', 4)
  await deliver(clerk.ids('user'))
  expect(await ops()).toBe(0)
  expect(written.out).toBe('4 users at Clerk, 4 here. 4 changed last and were compared.\nIn sync.\n')

  clerk.put('user', nth('user', 2, { updated_at: EPOCH_MS + 90_000, username: 'ada' }))
  written.keep()
  expect(await ops('--json')).toBe(3)
  const user = { clerk: 4, here: 4, erased: 0, differingWindows: 0, newest: 4, missing: 0, stale: 1, windows: [] }
  const ids = { missing: [], stale: [idOf('user', 2)] }
  expect(JSON.parse(written.out.trim().split('\n').at(-1) ?? '')).toEqual({
    ...{ complete: true, kinds: { user: { ...user, ids } } },
  })
  expect(await runCommand(['probe', '--rate', '0'], env)).toBe(2)
  expect(await runCommand(['probe'], { ...env, CLERK_SECRET_KEY: 'pk_test_x' })).toBe(2)
  expect(await runCommand(['probe'], { ...env, CLERK_INSTANCE_ID: 'ins_other' })).toBe(1)
  expect(written.note).toContain('[clerk_instance_mismatch]')
  clerk.isRevoked = true
  expect(await ops()).toBe(1)
  expect(written.note).toContain('[clerk_api_key_refused]')
  expect(written.note).not.toContain(clerk.secretKey)
})
