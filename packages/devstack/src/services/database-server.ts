import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { databaseAnswers } from './database-answers.js'
import { asRoot, type DatabaseProgram, folderWithoutFiles, initialiseData, temporaryFolder } from './database-files.js'
import { BUFFER_POOL_MIB, DATABASE_CONNECTIONS } from './limits.js'
import { ServerProcess } from './server-process.js'
import { chooseHome, giveTo, type ServerHome, takeAlong } from './server-user.js'
import type { StackSite } from './site.js'

export const DATABASE_ACCOUNT = 'clerk_mirror'

/** The rights of private servers' account. */
export type Access =
  /** Rows and tables of this one database, which the processes need. */
  | { readonly database: string }
  /** Everything: tests create databases and accounts. */
  | 'administrator'

export type Tuning =
  /** Committed data survives a power cut. */
  | 'durable'
  /** Committed data survives the server, not the machine: for data that is deleted afterwards. */
  | 'fast-throwaway'

/** Starts a private MariaDB or MySQL on its port of 127.0.0.1. Throws StackError `server_not_started`. */
export async function startDatabase(
  database: DatabaseProgram,
  tuning: Tuning,
  access: Access,
  site: StackSite,
): Promise<ServerProcess> {
  const { folder, ports, password, say } = site
  const port = ports.database
  const home = chooseHome(folder, ['mysql'], say)
  takeAlong(join(folder, database.kind), join(home.folder, database.kind))
  const data = await initialiseData(database, home, say)
  const accountSql = join(home.folder, 'account.sql')
  writeFileSync(accountSql, createAccount(database, password, access), { mode: 0o600 })
  giveTo(home.user, accountSql)
  return ServerProcess.start({
    title: database.title,
    program: database.program,
    user: home.user,
    args: [
      ...serverArguments(database, tuning, home),
      `--datadir=${data}`,
      `--tmpdir=${temporaryFolder(home)}`,
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

function serverArguments({ kind }: DatabaseProgram, tuning: Tuning, home: ServerHome): string[] {
  return [
    '--no-defaults', // must be the first
    ...asRoot(home),
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
    // No statement reads or writes a file. MariaDB knows no NULL here.
    ...(kind === 'mysql'
      ? ['--mysqlx=OFF', '--secure-file-priv=NULL']
      : [`--secure-file-priv=${folderWithoutFiles(home)}`]),
  ]
}

/** The rights of the documented account for migrations, which every process of a stack on one machine has too. */
const RIGHTS = 'SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES'

/** Run at every start, so that the account follows its password's file. One statement a line: older servers need it. */
function createAccount({ kind }: DatabaseProgram, password: string, access: Access): string {
  const account = `'${DATABASE_ACCOUNT}'@'127.0.0.1'`
  return [
    `CREATE USER IF NOT EXISTS ${account} IDENTIFIED BY '${password}';`,
    `ALTER USER ${account} IDENTIFIED BY '${password}';`,
    // Earlier versions gave it everything.
    `REVOKE ALL PRIVILEGES, GRANT OPTION FROM ${account};`,
    access === 'administrator'
      ? `GRANT ALL PRIVILEGES ON *.* TO ${account} WITH GRANT OPTION;`
      : `GRANT ${RIGHTS} ON \`${access.database.replaceAll('_', '\\_')}\`.* TO ${account};`,
    // MySQL's data are created with a root account that any user who reaches the socket could use.
    ...(kind === 'mysql' ? [`ALTER USER 'root'@'localhost' ACCOUNT LOCK;`] : []),
    '',
  ].join('\n')
}
