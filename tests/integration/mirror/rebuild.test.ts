import { type DecodedEvent, type Mirror, openMirror, TYPED_TABLES } from '@clerk-mirror/mirror'
import { type RebuildResult, rebuild } from '@clerk-mirror/operations'
import { expect, test } from 'vitest'
import { connectOnce } from '../../../packages/mirror/src/database/connection.js'
import { decodedEvent, membership, userCreated, userDeleted, userUpdated } from '../../support/builders.js'
import { openTestDatabase, type TestDatabase } from '../../support/mysql/database.js'
import { until } from '../../support/until.js'

type World = AsyncDisposable & { database: TestDatabase; mirror: Mirror }

async function openWorld(): Promise<World> {
  const database = await openTestDatabase()
  const mirror = openMirror(database.options)
  return {
    database,
    mirror,
    async [Symbol.asyncDispose]() {
      await mirror[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    },
  }
}

async function apply(mirror: Mirror, events: readonly DecodedEvent[]): Promise<void> {
  for (let at = 0; at < events.length; at += 64) {
    const results = await mirror.apply(events.slice(at, at + 64))
    expect(results.filter(({ kind }) => kind === 'failed')).toEqual([])
  }
}

type Options = {
  tables?: readonly string[]
  restart?: boolean
  stopAfter?: number
  seen?: (string | null)[]
  onPage?: () => void
}

/** As the command does it; stops after so many pages. */
function run({ mirror }: World, options: Options = {}) {
  const { tables = TYPED_TABLES, restart = false, stopAfter = 1e9, seen = [], onPage = () => {} } = options
  const controller = new AbortController()
  let pages = 0
  return rebuild(mirror, {
    actor: 'ada@test',
    tables,
    restart,
    signal: controller.signal,
    onBegin: ({ after }) => void seen.push(after),
    onProgress: () => {
      pages += 1
      onPage()
      if (pages === stopAfter) controller.abort()
    },
  })
}

/** All typed rows but for their numbers, which a row that was lost cannot get back. */
async function typedRows({ database }: World, columns: (table: string) => string = () => '*') {
  const tables = await Promise.all(
    TYPED_TABLES.map((table) =>
      database.query<Record<string, unknown>>(`SELECT ${columns(table)} FROM ${table} ORDER BY clerk_id`),
    ),
  )
  return Object.fromEntries(
    TYPED_TABLES.map((table, index) => [table, (tables[index] ?? []).map(({ id: _, ...row }) => row)]),
  )
}

const users = (count: number, data: (n: number) => object = (n) => ({ username: `user${n}` })) =>
  Array.from({ length: count }, (_, n) => userCreated(`user_${n}`, { at: 1, data: data(n) }))

const AN_ORGANIZATION: DecodedEvent[] = [
  decodedEvent('organization.created', 'org_1', { data: { name: 'Acme', slug: 'acme', created_by: 'user_0' } }),
  decodedEvent('organization.created', 'org_2', { data: { name: 'Gone' } }),
  membership('created', 'orgmem_1', { user: 'user_1', organization: 'org_1' }, { data: { role: 'org:admin' } }),
  membership('created', 'orgmem_2', { user: 'user_2', organization: 'org_1' }),
  membership('created', 'orgmem_3', { user: 'user_1', organization: 'org_2' }),
  decodedEvent('organizationInvitation.created', 'orginv_1', {
    data: { organization_id: 'org_1', email_address: 'bob@x.y' },
  }),
  decodedEvent('organizationDomain.created', 'orgdmn_1', { data: { organization_id: 'org_1', name: 'acme.com' } }),
  decodedEvent('session.created', 'sess_1', { data: { user_id: 'user_1' } }),
  decodedEvent('organization.deleted', 'org_2', { at: 2000 }),
  userDeleted('user_2', { at: 2000 }),
]

test('tables that were emptied, corrupted and polluted are after a rebuild what the events made of them', async () => {
  await using world = await openWorld()
  const { database, mirror } = world
  const odd = { username: 'x\ud83d', first_name: '😀'.repeat(200), public_metadata: { big: '12345678901234567890' } }
  await apply(mirror, [...users(5, (n) => (n === 3 ? odd : { username: `user${n}` })), ...AN_ORGANIZATION])
  await database.query("UPDATE users SET tagline = 'mine' WHERE clerk_id = 'user_1'")
  await database.query("INSERT INTO blocks (user_id, type, label) SELECT id, 1, 'link' FROM users")
  const expected = await typedRows(world)
  const blocks = await database.query('SELECT * FROM blocks')
  expect(expected['users']).toHaveLength(4)
  expect(expected['organization_memberships']).toHaveLength(1)

  for (const table of TYPED_TABLES.slice(1)) await database.query(`DELETE FROM ${table}`)
  await database.query("UPDATE users SET username = 'wrong', external_id = 'wrong', synced_at = '2000-01-01'")
  await database.query("INSERT INTO users (clerk_id, username, synced_at) VALUES ('user_2', 'ghost', NOW(3))")
  await database.query("INSERT INTO users (clerk_id, username, synced_at) VALUES ('user_nobody', 'orphan', NOW(3))")
  await database.query("INSERT INTO blocks (user_id, type) SELECT id, 9 FROM users WHERE clerk_id = 'user_nobody'")
  await database.query("INSERT INTO users (clerk_id, tagline) VALUES ('user_early', 'waits for Clerk')")

  const result = await run(world)
  expect(result).toMatchObject({ isDone: true, counts: { written: 4 + 1 + 1 + 1 + 1, removed: 3 } })
  const found = await typedRows(world)
  const early = (row: { clerk_id?: unknown }) => row.clerk_id === 'user_early'
  expect(found['users']?.filter(early)).toMatchObject([{ tagline: 'waits for Clerk', synced_at: null }])
  expect({ ...found, users: found['users']?.filter((row) => !early(row)) }).toEqual(expected)
  expect(await database.query('SELECT * FROM blocks')).toEqual(blocks)
})

test('a rebuild of one table leaves the others alone', async () => {
  await using world = await openWorld()
  await apply(world.mirror, [...users(3), ...AN_ORGANIZATION])
  await world.database.query("UPDATE users SET username = 'wrong'")
  await world.database.query("UPDATE organizations SET name = 'wrong'")
  await run(world, { tables: ['organizations'] })
  expect(await world.database.query("SELECT 1 FROM users WHERE username = 'wrong'")).toHaveLength(2)
  expect(await world.database.query('SELECT name FROM organizations')).toEqual([{ name: 'Acme' }])
})

test('a rebuild that was interrupted goes on where it stopped; told to, it begins anew', async () => {
  await using world = await openWorld()
  const { database } = world
  await apply(world.mirror, users(600))
  const wrongUsers = () => database.query("SELECT 1 FROM users WHERE username = 'wrong'")
  const seen: (string | null)[] = []
  await database.query("UPDATE users SET username = 'wrong'")
  expect(await run(world, { stopAfter: 1, seen })).toMatchObject({ isDone: false, counts: { written: 250 } })
  expect(await wrongUsers()).toHaveLength(350)
  await database.query("UPDATE users SET username = 'wrong' WHERE clerk_id = 'user_0'") // in the page that is done
  expect(await run(world, { seen })).toMatchObject({ isDone: true, counts: { objects: 600, written: 600 } })
  expect(await wrongUsers()).toHaveLength(1)

  await run(world, { stopAfter: 1, seen })
  expect(await run(world, { restart: true, seen })).toMatchObject({ isDone: true, counts: { written: 600 } })
  expect(await wrongUsers()).toEqual([])
  expect(await run(world, { stopAfter: 1, seen })).toMatchObject({ isDone: false })
  // The last that was begun before this one was finished: there is nothing to go on with.
  expect(seen).toEqual([null, expect.stringMatching(/^user_/), null, null, null])
  const actions = await database.query<{ finished_at: Date | null }>('SELECT * FROM operator_actions ORDER BY id')
  expect(actions).toMatchObject([{ action: 'rebuild', actor: 'ada@test' }, {}, {}, {}])
  expect(actions.map((action) => action.finished_at !== null)).toEqual([true, false, true, false])
})

test('two rebuilds at once share the work and both end', async () => {
  await using world = await openWorld()
  await apply(world.mirror, users(1000))
  await run(world, { stopAfter: 1 })
  await world.database.query("UPDATE users SET username = 'wrong' WHERE clerk_id > 'user_5'")
  let pages = 0
  const counted = {
    onPage: () => {
      pages += 1
    },
  }
  const results: RebuildResult[] = await Promise.all([run(world, counted), run(world, counted)])
  expect(results.map(({ isDone }) => isDone)).toEqual([true, true])
  // Three full pages, the end, and the other's notice that it is over: no page was rebuilt twice.
  expect(pages).toBe(5)
  const all = { objects: 1000, written: 1000, removed: 0 }
  expect(results.map(({ counts }) => counts)).toContainEqual(all)
  expect(await world.database.query("SELECT 1 FROM users WHERE username = 'wrong'")).toEqual([])
})

test("a user's delete that runs beside a rebuild leaves no row of a membership behind", async () => {
  await using world = await openWorld()
  const { database } = world
  await apply(world.mirror, [...users(2), membership('created', 'orgmem_1', { user: 'user_1', organization: 'org_1' })])
  await using deleting = await connectOnce(database.options)
  await deleting.beginTransaction()
  await deleting.query("UPDATE clerk_objects SET deleted_at = NOW(3), data = NULL WHERE id = 'user_1'")
  await deleting.query("DELETE FROM users WHERE clerk_id = 'user_1'")
  await deleting.query("DELETE FROM organization_memberships WHERE user_clerk_id = 'user_1'")
  let isOver = false
  const rebuilding = run(world, { tables: ['organization_memberships'] }).finally(() => {
    isOver = true
  })
  const isLocking = async () => {
    const threads = await database.query<{ db: string; Info: string | null }>('SHOW PROCESSLIST')
    const own = threads.filter(({ db }) => db === database.options.database)
    return own.some(({ Info }) => Info?.startsWith('INSERT INTO clerk_objects'))
  }
  await until(async () => isOver || (await isLocking()))
  await deleting.query("UPDATE clerk_objects SET deleted_at = NOW(3), data = NULL WHERE user_id = 'user_1'")
  await deleting.commit()
  expect(await rebuilding).toMatchObject({ isDone: true })
  expect(await database.query('SELECT * FROM organization_memberships')).toEqual([])
})

test('rebuilds that run while two workers apply events leave no difference', async () => {
  await using world = await openWorld()
  await using undisturbed = await openWorld()
  const people = 400
  const start = [
    ...users(people),
    ...users(people).map((_, n) =>
      membership('created', `orgmem_${n}`, { user: `user_${n}`, organization: `org_${n % 9}` }),
    ),
  ]
  const joined = (n: number) => ({ user: `user_${n}`, organization: `org_${n % 7}` })
  const events = Array.from({ length: 5 }, (_, round) =>
    Array.from({ length: people }, (_, n): DecodedEvent => {
      if (n % 5 === round && n % 3 === 0) return userDeleted(`user_${n}`, { at: 5000 })
      if ((n + round) % 2 === 0) return membership('created', `orgmem_r${round}_${n}`, joined(n), { at: 10 + round })
      return userUpdated(`user_${n}`, { at: 10 + round, data: { username: `round${round}` } })
    }),
  ).flat()
  await apply(world.mirror, start)
  await apply(undisturbed.mirror, [...start, ...events])
  // The state after a migration that added columns.
  await world.database.query('UPDATE users SET username = NULL, first_name = NULL, public_metadata = NULL')
  await world.database.query('DELETE FROM organization_memberships')

  let isQuiet = false
  const appliers = [0, 1].map((half) =>
    apply(
      world.mirror,
      events.filter((_, index) => index % 2 === half),
    ),
  )
  const rebuilding = (async () => {
    while (!isQuiet) await run(world)
  })()
  await Promise.all(appliers)
  isQuiet = true
  await rebuilding
  const columns = (table: string) => (table === 'users' ? 'clerk_id, username, tagline' : '*')
  const withoutTimes = async (from: World) =>
    JSON.parse(JSON.stringify(await typedRows(from, columns), (key, value) => (key === 'synced_at' ? 0 : value)))
  expect(await withoutTimes(world)).toEqual(await withoutTimes(undisturbed))
  const [objects] = await world.database.query<{ n: bigint }>('SELECT COUNT(*) AS n FROM clerk_objects')
  expect(Number(objects?.n)).toBeGreaterThan(people * 2)
})
