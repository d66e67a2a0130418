import { openMirror, openProfiles } from '@clerk-mirror/mirror'
import { Releasers } from '@clerk-mirror/runtime'
import { createPool } from 'mariadb'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { poolConfig } from '../../../packages/mirror/src/database/connection.js'
import { withRenewal } from '../../../packages/mirror/src/database/server-role.js'
import { userCreated } from '../../support/builders.js'
import {
  canOpenDatabasePair,
  type DatabasePair,
  openDatabasePair,
  type PairedDatabase,
} from '../../support/mysql/database-pair.js'
import { until } from '../../support/until.js'

/*
 * A failover after which the old primary stays up as a read-only replica, and no connection breaks: only the name leads
 * elsewhere.
 */

const isPossible = await canOpenDatabasePair()
const servers = new Releasers()
let pair: DatabasePair
beforeAll(async () => {
  if (isPossible) pair = servers.use(await openDatabasePair())
})
afterAll(() => servers[Symbol.asyncDispose]())

let owned: Releasers
beforeEach(() => {
  owned = new Releasers()
})
afterEach(() => owned[Symbol.asyncDispose]())

async function connectionsTo({ query }: PairedDatabase): Promise<number> {
  const [row] = await query<{ n: bigint }>(
    "SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE USER = 'pair_worker'",
  )
  return Number(row?.n)
}

let users = 0
const one = () => {
  users += 1
  return userCreated(`user_${users}`, { data: { username: `u${users}` } })
}

describe.skipIf(!isPossible)('after a failover that broke no connection', () => {
  test('one refusal is enough for a pool of many: whatever comes after it reaches the new primary', async () => {
    const mirror = owned.use(openMirror(pair.options))
    // So many at once that the pool is full of connections to the later old primary.
    await Promise.all(Array.from({ length: 10 }, () => mirror.apply([one()])))
    const old = pair.primary()
    expect(await connectionsTo(old)).toBeGreaterThan(3)
    await pair.promote()
    await expect(mirror.apply([one()])).rejects.toMatchObject({ class: 'outage', code: 'mysql_1290' })
    await expect(mirror.canary()).rejects.toMatchObject({ class: 'outage', code: 'mysql_1290' })
    pair.moveName()
    await mirror.canary()
    // Until the name moved, new connections led to the old primary too: the first refusal after it is the last one.
    await mirror.apply([one()]).catch(() => {})
    const results = await Promise.all(Array.from({ length: 20 }, () => mirror.apply([one()])))
    expect(results.flat()).toEqual(results.map(() => ({ kind: 'decided', outcome: 'applied' })))
  })

  test('people can save their profiles again after one refusal', async () => {
    const mirror = owned.use(openMirror(pair.options))
    const profiles = owned.use(openProfiles(pair.options))
    await mirror.apply([userCreated('user_ada', { data: { username: 'ada' } })])
    const save = () => profiles.save('user_ada', { tagline: 'hello', blocks: [] })
    await Promise.all(Array.from({ length: 10 }, () => profiles.own('user_ada')))
    expect(await save()).toBe('saved')
    await pair.promote()
    pair.moveName()
    await expect(save()).rejects.toMatchObject({ code: 'mysql_1290' })
    expect(await Promise.all(Array.from({ length: 10 }, save))).toEqual(Array(10).fill('saved'))
  })

  test('a pool that only reads leaves the old server when its connections are old', async () => {
    const pool = withRenewal(createPool({ ...poolConfig(pair.options), minimumIdle: 1 }), 500)
    owned.defer(() => pool.end())
    const serverId = async () => {
      const connection = await pool.getConnection()
      const [row] = await connection.query<{ id: number }[]>('SELECT @@server_id AS id')
      await connection.release()
      return Number(row?.id)
    }
    const before = await serverId()
    await pair.promote()
    pair.moveName()
    await until(async () => (await serverId()) !== before)
  })
})
