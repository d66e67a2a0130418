import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { INITIALISE_MS } from './policy.js'
import { complaintIn, type Finished, findProgram, run } from './programs.js'
import { StackError } from './stack-error.js'

export interface DatabaseProgram {
  readonly kind: 'mariadb' | 'mysql'
  readonly title: 'MariaDB' | 'MySQL'
  readonly program: string
  /** Both refuse to run as root unless it is asked for. */
  readonly asUser: readonly string[]
}

export async function findDatabaseServer(): Promise<DatabaseProgram | undefined> {
  const program = await findProgram('mariadbd', 'mysqld')
  if (program === undefined) return undefined
  const asUser = process.getuid?.() === 0 ? ['--user=root'] : []
  // Distributions of MariaDB call it mysqld as well.
  const { output } = await run(program, ['--no-defaults', '--version'])
  return output.includes('MariaDB')
    ? { kind: 'mariadb', title: 'MariaDB', program, asUser }
    : { kind: 'mysql', title: 'MySQL', program, asUser }
}

/**
 * The path of the server's data, made when there is none. The two servers cannot read each other's, so each has its own.
 * Throws StackError `server_not_started`.
 */
export async function initialiseData(
  database: DatabaseProgram,
  folder: string,
  say: (line: string) => void,
): Promise<string> {
  const data = join(folder, database.kind)
  if (existsSync(data)) return data

  say(`preparing a private ${database.title} in ${folder} (only the first time, some seconds)`)
  // Under another name until it is complete: what an interrupted run leaves behind would start and then fail.
  const draft = `${data}.new`
  rmSync(draft, { recursive: true, force: true })
  const { exitCode, output } = await (database.kind === 'mariadb' ? installMariadb : installMysql)(database, draft)
  if (exitCode !== 0) {
    throw new StackError('server_not_started', `${database.title} could not prepare its data: ${complaintIn(output)}`)
  }
  renameSync(draft, data)
  return data
}

async function installMariadb({ asUser }: DatabaseProgram, data: string): Promise<Finished> {
  const program = await findProgram('mariadb-install-db', 'mysql_install_db')
  if (program === undefined) return { exitCode: null, output: 'mariadb-install-db is not installed' }
  const options = [
    '--no-defaults', // must be the first
    ...asUser,
    '--force', // else it gives up where the machine's own name does not resolve
    '--auth-root-authentication-method=socket', // root has no password and no way in over the network
    '--skip-test-db',
    `--datadir=./${basename(data)}`,
  ]
  // From inside the folder, because the script takes a path with spaces apart.
  const cwd = dirname(data)
  return run('env', [`TMPDIR=${temporaryFolder(cwd)}`, program, ...options], { cwd, withinMs: INITIALISE_MS })
}

function installMysql({ program, asUser }: DatabaseProgram, data: string): Promise<Finished> {
  const options = ['--no-defaults', ...asUser, '--initialize-insecure', '--secure-file-priv=NULL', `--datadir=${data}`]
  return run(program, options, { withinMs: INITIALISE_MS })
}

/** A folder of its own for temporary tables: at its start a server deletes those that it finds, also those of others. */
export function temporaryFolder(folder: string): string {
  const path = join(folder, 'tmp')
  mkdirSync(path, { recursive: true, mode: 0o700 })
  return path
}
