import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clerkEvent, clerkId, clerkUser } from '../support/clerk-events.js'
import { post } from '../support/http/deliveries.js'
import { absentTestDatabase } from '../support/mysql/database.js'
import { runCli } from '../support/processes/processes.js'
import { canOpenHouse, type House, type IngestProcess, openHouse } from '../support/processes/stack.js'
import { madeUpKey } from '../support/queue/encryption-keys.js'
import { until } from '../support/until.js'
import { messageId } from '../support/world.js'

const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

/** The JSON of a dead letter in `list --json`: a contract. */
const deadLetterJson = (id: string, details: object) => ({
  id,
  type: 'user.created',
  message: expect.any(String),
  fingerprint: expect.stringMatching(/^[0-9a-f]{8}$/),
  class: 'poison',
  attempts: 1,
  receivedAt: expect.stringMatching(ISO_TIME),
  failedAt: expect.stringMatching(ISO_TIME),
  ...details,
})

const nameless = (id: string) => deadLetterJson(id, { objectId: null, code: 'malformed' })

const isPossible = await canOpenHouse('own redis')
let house: House
let ingest: IngestProcess
beforeAll(async () => {
  if (!isPossible) return
  house = await openHouse('own redis')
  ingest = await house.ingest()
  await house.worker()
})
afterAll(() => house?.[Symbol.asyncDispose]())

const ops = (words: string) => runCli(words, house.env)
const jsonOf = async (words: string) => JSON.parse((await ops(`${words} --json`)).stdout)
const listed = async (...ids: string[]) =>
  (await jsonOf('dead-letters list')).filter((deadLetter: { id: string }) => ids.includes(deadLetter.id))

/** An event that no worker can apply, dead by the time that this returns. */
async function deadLetter(id: string, data: object = { ...clerkUser('user_x', 1), id: 7 }): Promise<string> {
  const event = { eventId: id, body: JSON.stringify(clerkEvent('user.created', data)) }
  await until(async () => (await post(ingest, event)).status === 202)
  await until(() => house.isDead(id))
  return id
}

/** The list does without a database that takes longer than `LEDGER_MS`, as on a slow machine, and says so. */
const UNDISTURBED = expect.stringMatching(/^(?:The database did not answer: .*\n)?$/)

describe.skipIf(!isPossible)('the command', () => {
  test('lists dead letters, the oldest first, for people and for programs', async () => {
    expect(await ops('dead-letters list')).toEqual({ code: 0, stdout: 'No dead letters.\n', stderr: UNDISTURBED })
    await deadLetter('msg_first')
    await deadLetter('msg_second', { id: {} })
    const { code, stdout, stderr } = await ops('dead-letters list')
    expect({ code, stderr }).toEqual({ code: 0, stderr: UNDISTURBED })
    expect(stdout).toMatch(/^msg_first .*\n(.*\n)*msg_second /m)
    expect(stdout).toContain('poison/malformed')
    expect(await jsonOf('dead-letters list')).toEqual([nameless('msg_first'), nameless('msg_second')])
  })

  test('shows one dead letter, and its payload only to those who ask for it', async () => {
    const id = await deadLetter('msg_shown', { id: 7, first_name: 'MARKER' })
    const details = {
      ...nameless(id),
      source: 'clerk',
      instanceId: 'ins_test',
      stack: expect.stringContaining('malformed'),
    }
    expect(await jsonOf(`dead-letters show ${id}`)).toEqual(details)
    const { body, ...rest } = await jsonOf(`dead-letters show ${id} --payload`)
    expect(rest).toEqual(details)
    expect(JSON.parse(body)).toMatchObject({ data: { first_name: 'MARKER' } })
    const { code, stdout } = await ops(`dead-letters show ${id}`)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^class +poison$/m)
    expect(stdout).not.toContain('MARKER')
    const unknown = await ops('dead-letters show msg_unknown')
    expect(unknown).toEqual({ code: 1, stdout: '', stderr: 'There is no dead letter msg_unknown.\n' })
  })

  test('replays a dead letter whose cause was mended: it is applied, and no dead letter any more', async () => {
    const ada = clerkId('user')
    await house.query("ALTER TABLE users ADD CONSTRAINT mended_later CHECK (username <> 'odd')")
    const id = await deadLetter('msg_mended', clerkUser(ada, 1, { username: 'odd' }))
    await house.query('ALTER TABLE users DROP CONSTRAINT mended_later')
    expect(await ops(`dead-letters replay --id ${id}`)).toMatchObject({
      code: 0,
      stdout: '1 matched, 1 replayed, 0 skipped.\n',
    })
    await house.settled([id])
    expect(await house.isDead(id)).toBe(false)
    expect(await house.query('SELECT username FROM users WHERE clerk_id = ?', [ada])).toEqual([{ username: 'odd' }])
  })

  test('replays only what it is told to, and says what there was to replay', async () => {
    const [one, two] = await Promise.all(['msg_one', 'msg_two', 'msg_other'].map((id) => deadLetter(id)))
    const before = await listed('msg_other')
    const result = await jsonOf(`dead-letters replay --id ${one} --id ${two} --id ${one} --id msg_unknown`)
    expect(result).toEqual({ matched: 2, replayed: 2, skipped: 0 })
    await house.quiet()
    expect(await listed('msg_one', 'msg_two')).toEqual(expect.arrayContaining(['msg_one', 'msg_two'].map(nameless)))
    expect(await listed('msg_other')).toEqual(before)
    const none = await ops('dead-letters replay --id msg_unknown --json')
    expect(none.code).toBe(1)
    expect(JSON.parse(none.stdout)).toMatchObject({ matched: 0, replayed: 0, skipped: 0 })
  })

  test('leaves out dead letters that were settled meanwhile, as long as the database can be asked', async () => {
    const both = [await deadLetter('msg_settled'), await deadLetter('msg_open')]
    await house.query(
      `INSERT INTO webhook_events (event_id, type, source, outcome, attempts, received_at, applied_at)
       VALUES ('msg_settled', 'user.created', 'clerk', 'applied', 1, UTC_TIMESTAMP(3), UTC_TIMESTAMP(3))`,
    )
    expect(await listed(...both)).toEqual([nameless('msg_open')])
    const blind = { ...house.env, DATABASE_URL: 'mysql://app:secret@127.0.0.1:1/mirror' }
    const { code, stdout, stderr } = await runCli('dead-letters list --json', blind)
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual(expect.arrayContaining(both.map(nameless)))
    expect(stderr).toContain('The database did not answer')
  })
})

test.skipIf(!isPossible)(
  'the command erases a person whose events are encrypted with a key that is not here, and says what it could not read',
  async () => {
    const [ada, bob] = [clerkId('user'), clerkId('user')]
    const ingest = await house.ingest({ ENVELOPE_KEYS: madeUpKey('k1') })
    for (const user of [ada, bob]) {
      const body = JSON.stringify(clerkEvent('session.created', { id: clerkId('sess'), user_id: user }))
      await until(async () => (await post(ingest, { eventId: messageId(), body })).status === 202)
    }
    await until(async () => (await house.counts()).delayed === 2)
    const { code, stdout, stderr } = await ops(`erase --user ${ada} --yes --json`)
    expect({ code, result: JSON.parse(stdout) }).toMatchObject({ code: 0, result: { jobs: { delayed: 1 }, unread: 1 } })
    expect(stderr).toContain('1 other events are encrypted with keys that are not here')
    const other = await ops(`erase --user ${bob} --yes --json`)
    // Nothing of Bob's own was ever applied: only that is said.
    expect(other).toMatchObject({ code: 0, stderr: expect.stringContaining('their addresses are unknown') })
    expect(other.stderr).not.toContain('encrypted with keys')
  },
)

describe.skipIf(!isPossible)('the program', () => {
  test('says that Redis is gone, and where it looked, without the password', async () => {
    const { host, password } = new URL(house.env.REDIS_URL)
    await house.redis.stop()
    const { code, stdout, stderr } = await ops('dead-letters list --json')
    await house.redis.start()
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain(`Redis at ${host} cannot be used`)
    expect(stderr).not.toContain(password)
  })

  test.each([
    'nonsense',
    'dead-letters',
    'dead-letters list msg_1',
    'dead-letters list --nonsense',
    'dead-letters show',
    'dead-letters replay',
    'dead-letters replay --id',
    'migrate now',
  ])('takes "%s" for wrong usage', async (words) => {
    const { code, stdout, stderr } = await ops(words)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/--help|Usage/)
  })

  test.each(['--help', 'dead-letters --help', 'dead-letters replay --help'])(
    'explains itself with "%s"',
    async (words) => {
      const { code, stdout, stderr } = await runCli(words, {})
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout).toMatch(/^Usage: clerk-mirror /)
    },
  )
})

test('migrate prepares an empty database, does nothing the second time, and refuses a changed migration', async () => {
  await using database = absentTestDatabase()
  const env = { DATABASE_URL: database.url }
  const first = await runCli('migrate', env)
  expect(first).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Applied \d{14}_init/) })
  await database.query('SELECT * FROM clerk_objects')
  expect(await runCli('migrate', env)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^Nothing to do: \d+ applied/),
  })
  const again = await runCli('migrate --json', env)
  expect(JSON.parse(again.stdout)).toEqual({ applied: [], alreadyApplied: expect.any(Number) })

  await database.query("UPDATE _prisma_migrations SET checksum = REPEAT('0', 64) LIMIT 1")
  const refused = await runCli('migrate', env)
  expect(refused).toMatchObject({ code: 1, stdout: '' })
  expect(refused.stderr).toMatch(/the migration \d{14}_\w+ was changed after it was applied/)
})
