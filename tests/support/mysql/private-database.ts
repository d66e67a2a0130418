import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Releasers } from '@clerk-mirror/runtime'
import {
  asRoot,
  findDatabaseServer,
  initialiseData,
  temporaryFolder,
} from '../../../packages/devstack/src/services/database-files.js'
import { choosePort } from '../../../packages/devstack/src/services/ports.js'
import { ServerProcess } from '../../../packages/devstack/src/services/server-process.js'
import { connectOnce } from '../../../packages/mirror/src/database/connection.js'
import type { DatabaseOptions } from '../../../packages/mirror/src/database/database-url.js'

export type PrivateDatabaseOptions = {
  account: { user: string; password: string }
  /** Run at each start, before anybody can connect; it makes the account. */
  sql: readonly string[]
  /** Settings besides those of every private server. */
  settings: readonly string[]
  /** The server takes only encrypted connections. */
  isEncrypted?: boolean
}

export type PrivateDatabase = { port: number; options: DatabaseOptions; server: ServerProcess }

/** A database server of one test, with its files in this folder, which is there. The caller stops it. */
export async function startPrivateDatabase(
  folder: string,
  { account, sql, settings, isEncrypted = false }: PrivateDatabaseOptions,
): Promise<PrivateDatabase> {
  const program = await findDatabaseServer()
  if (program === undefined) throw new Error('no database server is installed')
  const port = await choosePort()
  const accountSql = join(folder, 'account.sql')
  writeFileSync(accountSql, [...sql, ''].join('\n'), { mode: 0o600 })
  const home = { folder, user: undefined }
  const data = await initialiseData(program, home, () => undefined)
  const tls = isEncrypted && { rejectUnauthorized: false }
  const options: DatabaseOptions = { host: '127.0.0.1', port, ...account, database: '', tls }
  const server = await ServerProcess.start({
    title: program.title,
    program: program.program,
    args: [
      '--no-defaults',
      ...asRoot(home),
      `--datadir=${data}`,
      `--tmpdir=${temporaryFolder(home)}`,
      '--bind-address=127.0.0.1',
      `--port=${port}`,
      '--socket=server.sock',
      '--pid-file=server.pid',
      '--skip-name-resolve',
      '--innodb-buffer-pool-size=16M',
      '--innodb-flush-log-at-trx-commit=0',
      `--init-file=${accountSql}`,
      ...settings,
      ...(program.kind === 'mysql' ? ['--mysqlx=OFF', '--secure-file-priv=NULL'] : []),
    ],
    logPath: join(folder, 'server.log'),
    recordPath: join(folder, 'server.json'),
    isReady: () =>
      connectOnce(options).then(
        (connection) => connection.end().then(() => true),
        () => false,
      ),
    say: () => undefined,
  })
  return { port, options, server }
}

/** A folder for such servers, removed when it is disposed of. */
export function privateFolder(owned: Releasers, name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `clerk-mirror-${name}-`))
  owned.defer(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }))
  return folder
}

export type OddDatabase = AsyncDisposable & {
  /** An account that is no administrator: servers run init_connect for such alone. */
  options: DatabaseOptions
  url: string
}

export const isOddDatabasePossible = async (): Promise<boolean> => (await findDatabaseServer()) !== undefined

/** A server of its own, started with these settings besides those that every test server has. */
export async function openOddDatabase(settings: readonly string[]): Promise<OddDatabase> {
  await using owned = new Releasers()
  const account = { user: 'odd', password: 'odd-Secret-1' }
  const name = `'${account.user}'@'127.0.0.1'`
  const sql = [`CREATE USER ${name} IDENTIFIED BY '${account.password}';`, `GRANT ALL ON \`odd%\`.* TO ${name};`]
  const { port, options, server } = await startPrivateDatabase(privateFolder(owned, 'odd'), { account, sql, settings })
  owned.defer(() => server.stop())
  const scope = owned.move()
  return {
    options: { ...options, database: 'odd' },
    url: `mysql://${account.user}:${account.password}@127.0.0.1:${port}/odd`,
    [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
  }
}
