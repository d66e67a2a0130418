import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type FaultProxy, openFaultProxy } from '@clerk-mirror/devstack'
import { Releasers } from '@clerk-mirror/runtime'
import { findDatabaseServer } from '../../../packages/devstack/src/services/database-files.js'
import { connectOnce } from '../../../packages/mirror/src/database/connection.js'
import { type DatabaseOptions, parseDatabaseUrl } from '../../../packages/mirror/src/database/database-url.js'
import { migrate } from '../../../packages/mirror/src/migrate/migrate.js'
import { until } from '../until.js'
import { MIGRATIONS } from './database.js'
import { privateFolder, startPrivateDatabase } from './private-database.js'

const ADMIN = 'pair_admin'
/** `read_only` holds for it, as it should for every process. */
const WORKER = 'pair_worker'
const DATABASE = 'clerk_mirror'

type Query = <Row>(sql: string, params?: unknown[]) => Promise<Row[]>
export type PairedDatabase = { port: number; options: DatabaseOptions; query: Query }

/** A primary and its replica behind one name, as a managed MySQL with a standby is. The tables are there. */
export type DatabasePair = AsyncDisposable & {
  /** As `DATABASE_URL` would hold it, by the name, for an account of least privilege. */
  url: string
  options: DatabaseOptions
  name: FaultProxy
  primary: () => PairedDatabase
  replica: () => PairedDatabase
  /** The replica takes over, and the old primary follows it, read-only. The name and all connections stay. */
  promote: () => Promise<void>
  /** The name leads new connections to the other server, as a name service makes it a moment later. */
  moveName: () => void
}

/** Only MariaDB: MySQL calls every statement of replication by another name. */
export async function canOpenDatabasePair(): Promise<boolean> {
  const isPossible = (await findDatabaseServer())?.kind === 'mariadb'
  if (!isPossible) console.warn('SKIPPED: tests with two MariaDB servers, because the program is not installed')
  return isPossible
}

export async function openDatabasePair(): Promise<DatabasePair> {
  await using owned = new Releasers()
  const folder = privateFolder(owned, 'databases')
  const password = randomBytes(12).toString('hex')
  let [primary, replica] = [
    await openServer(join(folder, 'one'), 1, password, owned),
    await openServer(join(folder, 'two'), 2, password, owned),
  ]
  await follow(replica, primary, password)
  await migrate(primary.options, { folder: MIGRATIONS, log: () => undefined })
  await primary.query(`CREATE USER ${WORKER}@'127.0.0.1' IDENTIFIED BY '${password}'`)
  await primary.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ${DATABASE}.* TO ${WORKER}@'127.0.0.1'`)
  const name = owned.use(await openFaultProxy({ targetPort: primary.port }))
  const url = `mysql://${WORKER}:${password}@127.0.0.1:${name.port}/${DATABASE}`
  const scope = owned.move()
  return {
    ...{ url, options: parseDatabaseUrl(url), name },
    primary: () => primary,
    replica: () => replica,
    async promote() {
      await primary.query('SET GLOBAL read_only = 1')
      const [{ position } = { position: '' }] = await primary.query<{ position: string }>(
        'SELECT @@gtid_current_pos AS position',
      )
      await until(async () => {
        const [row] = await replica.query<{ position: string }>('SELECT @@gtid_current_pos AS position')
        return row?.position === position
      })
      await replica.query('STOP SLAVE')
      await replica.query('RESET SLAVE ALL')
      await replica.query('SET GLOBAL read_only = 0')
      ;[primary, replica] = [replica, primary]
      await follow(replica, primary, password)
    },
    moveName: () => name.retarget(primary.port),
    [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
  }
}

async function follow(replica: PairedDatabase, primary: PairedDatabase, password: string): Promise<void> {
  await replica.query(
    `CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = ${primary.port}, MASTER_USER = '${ADMIN}', ` +
      `MASTER_PASSWORD = '${password}', MASTER_USE_GTID = current_pos`,
  )
  await replica.query('START SLAVE')
  await replica.query('SET GLOBAL read_only = 1')
  await until(async () => {
    const [status] = await replica.query<{ Slave_IO_Running: string; Slave_SQL_Running: string }>('SHOW SLAVE STATUS')
    return status?.Slave_IO_Running === 'Yes' && status.Slave_SQL_Running === 'Yes'
  })
}

async function openServer(folder: string, id: number, password: string, owned: Releasers): Promise<PairedDatabase> {
  mkdirSync(folder, { mode: 0o700 })
  const account = `${ADMIN}@'127.0.0.1'`
  const { port, server } = await startPrivateDatabase(folder, {
    account: { user: ADMIN, password },
    sql: [
      'SET sql_log_bin = 0;', // each server has its own
      `CREATE USER IF NOT EXISTS ${account} IDENTIFIED BY '${password}';`,
      `GRANT ALL PRIVILEGES ON *.* TO ${account} WITH GRANT OPTION;`,
    ],
    settings: [
      ...['--character-set-server=utf8mb4', '--innodb-flush-log-at-trx-commit=2'],
      ...['--innodb-buffer-pool-size=32M', '--loose-innodb-log-file-size=16M'],
      ...[`--server-id=${id}`, '--log-bin=binary', '--binlog-format=ROW', '--log-slave-updates'],
    ],
  })
  owned.defer(() => server.kill())
  const options = parseDatabaseUrl(`mysql://${ADMIN}:${password}@127.0.0.1:${port}/${DATABASE}`)
  const query: Query = async (sql, params) => {
    await using connection = await connectOnce({ ...options, database: '' })
    return await connection.query(sql, params)
  }
  return { port, options, query }
}
