import { randomBytes } from 'node:crypto'
import { Failure, type InstallationStamp } from '@clerk-mirror/events'
import { openMirror } from '@clerk-mirror/mirror'
import { openQueueInstallation, type Partition, parseRedisUrl, partition } from '@clerk-mirror/queue/consume'
import { Releasers } from '@clerk-mirror/runtime'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, inject, test } from 'vitest'
import { type InstallationGuard, openInstallationGuard } from '../../../apps/worker/src/installation-guard.js'
import { openTestDatabase, type TestDatabase } from '../../support/mysql/database.js'
import { until } from '../../support/until.js'

let owned: Releasers
let redis: Redis
let place: Partition
let database: TestDatabase
beforeEach(async () => {
  owned = new Releasers()
  redis = new Redis(inject('redisUrl'))
  place = partition(`{test-${randomBytes(6).toString('hex')}}`)
  owned.defer(async () => {
    await redis.del(place.key('clerk-mirror:installation'))
    redis.disconnect()
  })
  database = owned.use(await openTestDatabase())
})
afterEach(() => owned[Symbol.asyncDispose]())

type Watched = InstallationGuard & { stamped: InstallationStamp[]; lost: InstallationStamp[]; separated: string[] }

/** As a worker on this queue opens it. */
function guardOf(of: TestDatabase): Watched {
  const seen = { stamped: [], lost: [], separated: [] } as Pick<Watched, 'stamped' | 'lost' | 'separated'>
  const mirror = owned.use(openMirror(of.options))
  const guard = openInstallationGuard({
    queue: openQueueInstallation(parseRedisUrl(inject('redisUrl')), [place], 'worker'),
    database: mirror.installation,
    canary: mirror.canary,
    observer: {
      stamped: (stamp) => void seen.stamped.push(stamp),
      queueLost: (stamp) => void seen.lost.push(stamp),
      separated: ({ message }) => void seen.separated.push(message),
    },
  })
  return Object.assign(owned.use(guard), seen)
}

const inQueue = () => redis.hgetall(place.key('clerk-mirror:installation'))
const inDatabase = async (of = database) =>
  (await of.query<{ installation_id: string; epoch: number }>('SELECT installation_id, epoch FROM installation'))[0]

const refusalOf = (ready: Promise<void>) =>
  ready.then(
    () => null,
    (error: unknown) =>
      error instanceof Failure ? { class: error.class, code: error.code, message: error.message } : error,
  )

test('workers that begin at the same moment agree on one installation, and one of them has made it', async () => {
  const guards = Array.from({ length: 8 }, () => guardOf(database))
  await Promise.all(guards.map((guard) => guard.ready()))
  const ids = new Set(guards.map((guard) => guard.stamp()?.id))
  expect(ids.size).toBe(1)
  expect(guards.flatMap(({ stamped }) => stamped)).toHaveLength(1)
  expect(guards.flatMap(({ lost }) => lost)).toEqual([])
  expect(await inDatabase()).toEqual({ installation_id: [...ids][0], epoch: 1 })
  expect(await inQueue()).toEqual({ id: [...ids][0], epoch: '1' })
})

test('of two databases that begin with one queue at the same moment, one gets it and the other is refused', async () => {
  const other = owned.use(await openTestDatabase())
  const refusals = await Promise.all([guardOf(database), guardOf(other)].map((guard) => refusalOf(guard.ready())))
  const refused = refusals.filter((each) => each !== null)
  expect(refused).toHaveLength(1)
  expect(refused[0]).toMatchObject({ class: 'outage', code: /installation_mismatch|database_unstamped/ })
})

test('a database of another installation is refused, and the refusal names both', async () => {
  await guardOf(database).ready()
  const other = owned.use(await openTestDatabase())
  await other.query("INSERT INTO installation VALUES (1, 'theirs', 1, NOW())")
  const { id } = await inQueue()
  const refusal = await refusalOf(guardOf(other).ready())
  expect(refusal).toMatchObject({ class: 'outage', code: 'installation_mismatch' })
  expect(refusal).toMatchObject({ message: expect.stringMatching(new RegExp(`theirs.*${id}`)) })
})

test('a new database beside a queue of an installation is refused, and stays unmarked', async () => {
  await guardOf(database).ready()
  const fresh = owned.use(await openTestDatabase())
  expect(await refusalOf(guardOf(fresh).ready())).toMatchObject({ code: 'database_unstamped' })
  expect(await inDatabase(fresh)).toBeUndefined()
})

test('a queue that lost its data goes on under a new epoch, which one worker tells of', async () => {
  await Promise.all([guardOf(database), guardOf(database)].map((guard) => guard.ready()))
  await redis.del(place.key('clerk-mirror:installation'))
  const guards = [guardOf(database), guardOf(database)]
  await Promise.all(guards.map((guard) => guard.ready()))
  const lost = guards.flatMap((guard) => guard.lost)
  expect(lost).toEqual([{ id: (await inQueue())['id'], epoch: 2 }])
  expect(await inDatabase()).toMatchObject({ epoch: 2 })
})

test('an older copy of the queue counts as one that lost its data', async () => {
  await guardOf(database).ready()
  await database.query('UPDATE installation SET epoch = 5')
  const guard = guardOf(database)
  await guard.ready()
  expect(guard.stamp()).toMatchObject({ epoch: 6 })
  expect(await inQueue()).toMatchObject({ epoch: '6' })
})

test('an older copy of the database takes the epoch of the queue, and nothing is said to be lost', async () => {
  await guardOf(database).ready()
  await redis.hset(place.key('clerk-mirror:installation'), 'epoch', 3)
  const guard = guardOf(database)
  await guard.ready()
  expect([guard.stamp()?.epoch, guard.lost]).toEqual([3, []])
  expect(await inDatabase()).toMatchObject({ epoch: 3 })
})

test('a queue that is exchanged while a worker runs is noticed, and no batch is handled from then on', async () => {
  const guard = guardOf(database)
  await guard.ready()
  const handled: number[] = []
  const handle = guard.guarded(async (batch) => {
    handled.push(batch.length)
    return []
  })
  await handle([])
  await redis.hset(place.key('clerk-mirror:installation'), 'id', 'theirs')
  await until(async () => (await refusalOf(handle([]).then(() => {}))) !== null)
  expect(guard.separated.length).toBeGreaterThan(0)
  const before = handled.length
  expect(await refusalOf(handle([]).then(() => {}))).toMatchObject({ class: 'outage', code: 'installation_mismatch' })
  expect(handled).toHaveLength(before)
})
