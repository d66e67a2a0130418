import { afterAll, beforeAll, expect, test } from 'vitest'
import { clerkEvent, clerkId, clerkUser } from '../support/clerk-events.js'
import { post } from '../support/http/deliveries.js'
import { runCli } from '../support/processes/processes.js'
import { canOpenHouse, type House, openHouse, type WorkerProcess } from '../support/processes/stack.js'
import { madeUpKey } from '../support/queue/encryption-keys.js'
import { until } from '../support/until.js'
import { messageId } from '../support/world.js'

const [A, B] = [madeUpKey('A'), madeUpKey('B')]
/** ENVELOPE_KEYS, one release after the other: turned on, and rotated as docs/hardening.md says. */
const ERAS = { clear: '', onlyA: A, bothAFirst: `${A},${B}`, bothBFirst: `${B} ${A}`, onlyB: B } as const
/** The third try comes after half a minute at most. */
const RETRIED_WITHIN_MS = 60_000
const TEST_MS = 600_000

const SEALED_WITH_A = ['onlyA', 'bothAFirst']

const isPossible = await canOpenHouse('own redis')
let house: House
beforeAll(async () => {
  if (isPossible) house = await openHouse('own redis')
})
afterAll(() => house?.[Symbol.asyncDispose]())

/** A sign-up; the database refuses people called odd. */
function signUp(username: string) {
  const user = clerkId('user')
  return {
    eventId: messageId(),
    user,
    body: JSON.stringify(clerkEvent('user.created', clerkUser(user, 1, { username }))),
  }
}

const usersCalled = async (username: string) => {
  const sql = 'SELECT clerk_id FROM users WHERE username = ? ORDER BY clerk_id'
  return (await house.query<{ clerk_id: string }>(sql, [username])).map((row) => row.clerk_id)
}

const retried = (worker: WorkerProcess) => [
  ...new Set(worker.logged('event.retrying').map(({ eventId, code }) => `${eventId} ${code}`)),
]

test.skipIf(!isPossible)(
  'keys are turned on and rotated while events wait and dead letters lie: nothing is lost',
  async () => {
    await house.query("ALTER TABLE users ADD CONSTRAINT mended_later CHECK (username <> 'odd')")
    const waited: string[] = []
    const deadLetters = new Map<string, ReturnType<typeof signUp>>()
    let waiting: string | undefined
    for (const [era, ENVELOPE_KEYS] of Object.entries(ERAS)) {
      const ingest = await house.ingest({ ENVELOPE_KEYS })
      const taken = async (event: ReturnType<typeof signUp>) => {
        await until(async () => (await post(ingest, event)).status === 202)
        return event.eventId
      }
      const worker = await house.worker({ ENVELOPE_KEYS })
      // The event that waited when the previous release ended.
      if (waiting !== undefined) await house.settled([waiting])
      const deadLetter = signUp('odd')
      deadLetters.set(era, deadLetter)
      await taken(deadLetter)
      await until(() => house.isDead(deadLetter.eventId))
      expect(retried(worker)).toEqual([])
      await worker.stop()
      const last = signUp('ada')
      waiting = await taken(last)
      waited.push(last.user)
      const isInClear = (await house.job(waiting))['data']?.includes('ada')
      expect({ era, isInClear }).toEqual({ era, isInClear: ENVELOPE_KEYS === '' })
      await ingest.stop()
    }

    // A dead letter of each era is replayed when no process has the old key any more.
    await house.query('ALTER TABLE users DROP CONSTRAINT mended_later')
    const shown = await runCli(`dead-letters show ${deadLetters.get('onlyA')?.eventId} --payload --json`, house.env)
    expect(JSON.parse(shown.stdout)).toMatchObject({
      body: null,
      encryptedWith: 'A',
      objectId: deadLetters.get('onlyA')?.user,
    })
    const replayed = await runCli('dead-letters replay --all --json', house.env)
    expect(JSON.parse(replayed.stdout)).toEqual({ matched: deadLetters.size, replayed: deadLetters.size, skipped: 0 })
    const blind = await house.worker({ ENVELOPE_KEYS: B })
    const hidden = SEALED_WITH_A.map((era) => deadLetters.get(era))
    const missing = hidden.map((deadLetter) => `${deadLetter?.eventId} envelope_key_missing`)
    await until(() => retried(blind).length === missing.length)
    expect(retried(blind).toSorted()).toEqual(missing.toSorted())
    await blind.stop()
    expect(await house.counts()).toMatchObject({ failed: 0, active: 0 })

    // With the old key behind the new one, they are applied too.
    await house.worker({ ENVELOPE_KEYS: `${B},${A}` })
    await house.settled(
      [...deadLetters.values()].map(({ eventId }) => eventId),
      RETRIED_WITHIN_MS,
    )
    expect(await house.counts()).toEqual({ wait: 0, active: 0, delayed: 0, failed: 0 })
    expect(await usersCalled('ada')).toEqual(waited.toSorted())
    expect(await usersCalled('odd')).toEqual([...deadLetters.values()].map(({ user }) => user).toSorted())
  },
  TEST_MS,
)
