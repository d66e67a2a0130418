import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { asRoot, findDatabaseServer, initialiseData } from '../../../packages/devstack/src/services/database-files.js'
import { choosePort } from '../../../packages/devstack/src/services/ports.js'
import { findProgram } from '../../../packages/devstack/src/services/programs.js'
import { ServerProcess } from '../../../packages/devstack/src/services/server-process.js'
import { connectOnce } from '../../../packages/mirror/src/database/connection.js'
import { makeCertificates } from '../http/certificates.js'

const ACCOUNT = { user: 'tls', password: 'tls-Secret-1' }

export type TlsDatabase = AsyncDisposable & {
  /** `mysql://user:password@HOST:port/mysql` and the parameters. The server's certificate names only `localhost`. */
  url: (host: string, parameters?: string) => string
  /** The certificate of the authority that signed the server's. */
  caPath: string
  /** A key and an unsigned certificate. */
  stranger: { keyPath: string; certPath: string }
}

/** Whether this machine has the programs for it. */
export async function isTlsDatabasePossible(): Promise<boolean> {
  return (await findDatabaseServer()) !== undefined && (await findProgram('openssl')) !== undefined
}

/** A server of its own that takes only encrypted connections. */
export async function openTlsDatabase(): Promise<TlsDatabase> {
  const program = await findDatabaseServer()
  if (program === undefined) throw new Error('no database server is installed')
  const folder = mkdtempSync(join(tmpdir(), 'clerk-mirror-tls-'))
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
  try {
    const { caPath, keyPath, certPath } = await makeCertificates(folder)
    const port = await choosePort()
    const { user, password } = ACCOUNT
    const account = `'${user}'@'127.0.0.1'`
    const sql = [`CREATE USER ${account} IDENTIFIED BY '${password}';`, `GRANT ALL ON *.* TO ${account};`, '']
    writeFileSync(join(folder, 'account.sql'), sql.join('\n'))
    const home = { folder, user: undefined }
    const data = await initialiseData(program, home, () => undefined)
    const unverified = { rejectUnauthorized: false }
    const options = { host: '127.0.0.1', port, user, password, database: 'mysql', tls: unverified }
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
        `--init-file=${join(folder, 'account.sql')}`,
        `--ssl-ca=${caPath}`,
        `--ssl-cert=${certPath}`,
        `--ssl-key=${keyPath}`,
        '--require-secure-transport=ON',
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
    return {
      url: (host, parameters = '') => `mysql://${user}:${password}@${host}:${port}/mysql${parameters}`,
      caPath,
      stranger: { keyPath: join(folder, 'stranger.key'), certPath: join(folder, 'stranger.pem') },
      [Symbol.asyncDispose]: async () => {
        await server.stop()
        remove()
      },
    }
  } catch (error) {
    remove()
    throw error
  }
}
