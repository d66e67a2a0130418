import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { databaseAnswers } from './database-answers.js'
import { type DatabaseProgram, initialiseData, temporaryFolder } from './database-files.js'
import { BUFFER_POOL_MIB, DATABASE_CONNECTIONS } from './policy.js'
import { ServerProcess } from './server-process.js'
import type { StackSite } from './site.js'

export const DATABASE_ACCOUNT = 'clerk_mirror'

export type Tuning =
  /** What was committed survives a power cut. */
  | 'durable'
  /** What was committed survives the server, not the machine: for data that is deleted afterwards. */
  | 'fast-throwaway'

/** Starts a private MariaDB or MySQL on its port of 127.0.0.1. Throws StackError `server_not_started`. */
export async function startDatabase(
  database: DatabaseProgram,
  tuning: Tuning,
  site: StackSite,
): Promise<ServerProcess> {
  const { folder, ports, password, say } = site
  const port = ports.database
  const data = await initialiseData(database, folder, say)
  const accountSql = join(folder, 'account.sql')
  writeFileSync(accountSql, createAccount(database, password), { mode: 0o600 })
  return ServerProcess.start({
    title: database.title,
    program: database.program,
    args: [
      ...serverArguments(database, tuning),
      `--datadir=${data}`,
      `--tmpdir=${temporaryFolder(folder)}`,
      `--port=${port}`,
      `--init-file=${accountSql}`,
    ],
    logPath: join(folder, `${database.kind}.log`),
    recordPath: databaseRecord(folder),
    isReady: () => databaseAnswers({ port, user: DATABASE_ACCOUNT, password }),
    say,
  })
}

export const databaseRecord = (folder: string) => join(folder, 'database.process.json')

function serverArguments({ kind, asUser }: DatabaseProgram, tuning: Tuning): string[] {
  return [
    '--no-defaults', // must be the first
    ...asUser,
    '--bind-address=127.0.0.1',
    // Relative to the data folder, because the path of a Unix socket may have a hundred bytes only.
    '--socket=server.sock',
    '--pid-file=server.pid',
    '--skip-name-resolve',
    '--skip-log-bin',
    '--character-set-server=utf8mb4',
    `--innodb-flush-log-at-trx-commit=${tuning === 'durable' ? 1 : 2}`,
    `--innodb-buffer-pool-size=${BUFFER_POOL_MIB}M`,
    `--max-connections=${DATABASE_CONNECTIONS}`,
    ...(kind === 'mysql' ? ['--mysqlx=OFF', '--secure-file-priv=NULL'] : []),
  ]
}

/** Run at every start, so that the account follows its password's file. One statement a line: older servers need it. */
function createAccount({ kind }: DatabaseProgram, password: string): string {
  const account = `'${DATABASE_ACCOUNT}'@'127.0.0.1'`
  return [
    `CREATE USER IF NOT EXISTS ${account} IDENTIFIED BY '${password}';`,
    `ALTER USER ${account} IDENTIFIED BY '${password}';`,
    `GRANT ALL PRIVILEGES ON *.* TO ${account} WITH GRANT OPTION;`,
    // MySQL's data are made with a root that anybody who reaches the socket could be.
    ...(kind === 'mysql' ? [`ALTER USER 'root'@'localhost' IDENTIFIED BY '${password}';`] : []),
    '',
  ].join('\n')
}
