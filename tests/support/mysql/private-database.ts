import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { asRoot, findDatabaseServer, initialiseData } from '../../../packages/devstack/src/services/database-files.js'
import { choosePort } from '../../../packages/devstack/src/services/ports.js'
import { ServerProcess } from '../../../packages/devstack/src/services/server-process.js'
import { connectOnce } from '../../../packages/mirror/src/database/connection.js'
import type { DatabaseOptions } from '../../../packages/mirror/src/database/database-url.js'

export type OddDatabase = AsyncDisposable & {
  /** An account that is no administrator: servers run init_connect for such alone. */
  options: DatabaseOptions
  url: string
}

export const isOddDatabasePossible = async (): Promise<boolean> => (await findDatabaseServer()) !== undefined

/** A server of its own, started with these settings besides those that every test server has. */
export async function openOddDatabase(settings: readonly string[]): Promise<OddDatabase> {
  const program = await findDatabaseServer()
  if (program === undefined) throw new Error('no database server is installed')
  const folder = mkdtempSync(join(tmpdir(), 'clerk-mirror-odd-'))
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
  try {
    const port = await choosePort()
    const [user, password] = ['odd', 'odd-Secret-1']
    const account = `'${user}'@'127.0.0.1'`
    const sql = [`CREATE USER ${account} IDENTIFIED BY '${password}';`, `GRANT ALL ON \`odd%\`.* TO ${account};`, '']
    writeFileSync(join(folder, 'account.sql'), sql.join('\n'))
    const home = { folder, user: undefined }
    const data = await initialiseData(program, home, () => undefined)
    const options: DatabaseOptions = { host: '127.0.0.1', port, user, password, database: 'odd', tls: false }
    const server = await ServerProcess.start({
      title: program.title,
      program: program.program,
      args: [
        '--no-defaults',
        ...asRoot(home),
        `--datadir=${data}`,
        '--bind-address=127.0.0.1',
        `--port=${port}`,
        '--socket=server.sock',
        '--pid-file=server.pid',
        '--skip-name-resolve',
        '--innodb-buffer-pool-size=16M',
        '--innodb-flush-log-at-trx-commit=0',
        `--init-file=${join(folder, 'account.sql')}`,
        ...settings,
        ...(program.kind === 'mysql' ? ['--mysqlx=OFF', '--secure-file-priv=NULL'] : []),
      ],
      logPath: join(folder, 'server.log'),
      recordPath: join(folder, 'server.json'),
      isReady: () =>
        connectOnce({ ...options, database: '' }).then(
          (connection) => connection.end().then(() => true),
          () => false,
        ),
      say: () => undefined,
    })
    return {
      options,
      url: `mysql://${user}:${password}@127.0.0.1:${port}/odd`,
      async [Symbol.asyncDispose]() {
        await server.stop()
        remove()
      },
    }
  } catch (error) {
    remove()
    throw error
  }
}
