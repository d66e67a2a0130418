import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openServices } from '@clerk-mirror/devstack'
import { type DecodedEvent, openMirror } from '@clerk-mirror/mirror'
import { Releasers } from '@clerk-mirror/runtime'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findDatabaseServer } from '../../../packages/devstack/src/services/database-files.js'
import { connectOnce } from '../../../packages/mirror/src/database/connection.js'
import { type DatabaseOptions, parseDatabaseUrl } from '../../../packages/mirror/src/database/database-url.js'
import { migrate } from '../../../packages/mirror/src/migrate/migrate.js'
import { userCreated } from '../../support/builders.js'
import { MIGRATIONS } from '../../support/mysql/database.js'

const KIB = 1024
const PACKET = 1024 * KIB

let count = 0
const user = (bytes: number): DecodedEvent => {
  count += 1
  return userCreated(`user_${count}`, { data: { username: `u${count}`, filler: 'x'.repeat(bytes) } })
}
/** More than a packet together, well below it alone. */
const crowd = () => Array.from({ length: 12 }, () => user(150 * KIB))
const applied = (events: number) => Array.from({ length: events }, () => ({ kind: 'decided', outcome: 'applied' }))

const isPossible = (await findDatabaseServer()) !== undefined
if (!isPossible) console.warn('SKIPPED: tests with a small packet, because no database server is installed')

describe.skipIf(!isPossible)('a database that takes only small packets', () => {
  const owned = new Releasers()
  let options: DatabaseOptions
  const execute = async (sql: string) => {
    await using server = await connectOnce({ ...options, database: '' })
    return await server.query(sql)
  }
  const hangUps = async () => {
    const [row] = await execute("SHOW GLOBAL STATUS LIKE 'Aborted_clients'")
    return Number(row.Value)
  }
  beforeAll(async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'clerk-mirror-packets-'))
    owned.defer(() => rmSync(dataDir, { recursive: true, force: true, maxRetries: 10 }))
    const site = { dataDir, redisUrl: 'redis://127.0.0.1:1', say: () => {}, tuning: 'fast-throwaway' as const }
    const services = owned.use(await openServices(site))
    options = parseDatabaseUrl(`${services.database.adminUrl}packets`)
    await migrate(options, { folder: MIGRATIONS, log: () => undefined })
    await execute(`SET GLOBAL max_allowed_packet = ${PACKET}`)
  })
  afterAll(() => owned[Symbol.asyncDispose]())

  test('is not sent larger ones, once it has told what it takes', async () => {
    await using mirror = openMirror(options)
    await mirror.apply([user(1)])
    const before = await hangUps()
    expect(await mirror.apply(crowd())).toEqual(applied(12))
    expect(await hangUps()).toBe(before)
  })

  test('hangs up on a batch that is larger all the same, and the batch is halved until all of it is applied', async () => {
    await using mirror = openMirror(options)
    // The limit is not known before the first connection.
    const before = await hangUps()
    expect(await mirror.apply(crowd())).toEqual(applied(12))
    expect(await hangUps()).toBeGreaterThan(before)
  })

  test('never takes an event that is larger alone: it fails, the rest of its batch is applied, and that is no outage', async () => {
    await using mirror = openMirror(options)
    await mirror.apply([user(1)])
    const [first, ...rest] = await mirror.apply([user(PACKET), ...crowd()])
    expect(first).toMatchObject({
      kind: 'failed',
      failure: {
        class: 'unknown',
        code: 'mysql_1153',
        message: 'larger than the max_allowed_packet of the database',
      },
    })
    expect(rest).toEqual(applied(12))
    await mirror.canary()
  })
})
