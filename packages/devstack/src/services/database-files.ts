import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { INITIALISE_MS } from './limits.js'
import { complaintIn, type Finished, findProgram, run } from './programs.js'
import { giveTo, makeServerFolder, type ServerHome } from './server-user.js'
import { StackError } from './stack-error.js'

export interface DatabaseProgram {
  readonly kind: 'mariadb' | 'mysql'
  readonly title: 'MariaDB' | 'MySQL'
  readonly program: string
}

export async function findDatabaseServer(): Promise<DatabaseProgram | undefined> {
  const program = await findProgram('mariadbd', 'mysqld')
  if (program === undefined) return undefined
  // Distributions of MariaDB call it mysqld as well.
  const { output } = await run(program, ['--no-defaults', '--version'])
  return output.includes('MariaDB')
    ? { kind: 'mariadb', title: 'MariaDB', program }
    : { kind: 'mysql', title: 'MySQL', program }
}

/**
 * The path of the server's data, made when there is none. The two servers cannot read each other's, so each has its
 * own. Throws StackError `server_not_started`.
 */
export async function initialiseData(
  database: DatabaseProgram,
  home: ServerHome,
  say: (line: string) => void,
): Promise<string> {
  const { folder, user } = home
  const data = join(folder, database.kind)
  if (existsSync(data)) {
    giveTo(user, data) // of an earlier version, whose server ran as root
    return data
  }

  say(`preparing a private ${database.title} in ${folder} (only the first time, some seconds)`)
  // Under another name until it is complete: a leftover of an interrupted run would start and then fail.
  const draft = `${data}.new`
  rmSync(draft, { recursive: true, force: true })
  makeServerFolder(home, draft)
  const { exitCode, output } = await (database.kind === 'mariadb' ? installMariadb : installMysql)(
    database,
    home,
    draft,
  )
  if (exitCode !== 0) {
    throw new StackError('server_not_started', `${database.title} could not prepare its data: ${complaintIn(output)}`)
  }
  renameSync(draft, data)
  return data
}

async function installMariadb(_: DatabaseProgram, home: ServerHome, data: string): Promise<Finished> {
  const program = await findProgram('mariadb-install-db', 'mysql_install_db')
  if (program === undefined) return { exitCode: null, output: 'mariadb-install-db is not installed' }
  const options = [
    '--no-defaults', // must be the first
    ...asRoot(home),
    '--force', // else it gives up where the machine's own name does not resolve
    '--auth-root-authentication-method=socket', // root has no password and no way in over the network
    '--skip-test-db',
    `--datadir=./${basename(data)}`,
  ]
  // From inside the folder, because the script takes a path with spaces apart.
  const cwd = dirname(data)
  const { user } = home
  return run('env', [`TMPDIR=${temporaryFolder(home)}`, program, ...options], { cwd, user, withinMs: INITIALISE_MS })
}

function installMysql({ program }: DatabaseProgram, home: ServerHome, data: string): Promise<Finished> {
  const files = ['--secure-file-priv=NULL', `--datadir=${data}`]
  const options = ['--no-defaults', ...asRoot(home), '--initialize-insecure', ...files]
  return run(program, options, { user: home.user, withinMs: INITIALISE_MS })
}

/** Both refuse to run as root unless it is asked for. */
export const asRoot = ({ user }: ServerHome): string[] =>
  user === undefined && process.getuid?.() === 0 ? ['--user=root'] : []

/**
 * A folder of its own for temporary tables: at its start a server deletes those that it finds, also those of others.
 */
export function temporaryFolder(home: ServerHome): string {
  const path = join(home.folder, 'tmp')
  makeServerFolder(home, path)
  return path
}

/**
 * The only folder in which statements may read and write files: it is empty, and where root owns it, no other user gets
 * in.
 */
export function folderWithoutFiles({ folder }: ServerHome): string {
  const path = join(folder, 'no-files')
  mkdirSync(path, { recursive: true, mode: 0o500 })
  return path
}
