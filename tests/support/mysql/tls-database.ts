import { join } from 'node:path'
import { Releasers } from '@clerk-mirror/runtime'
import { findDatabaseServer } from '../../../packages/devstack/src/services/database-files.js'
import { findProgram } from '../../../packages/devstack/src/services/programs.js'
import { makeCertificates } from '../http/certificates.js'
import { privateFolder, startPrivateDatabase } from './private-database.js'

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
  await using owned = new Releasers()
  const folder = privateFolder(owned, 'tls')
  const { caPath, keyPath, certPath } = await makeCertificates(folder)
  const { user, password } = ACCOUNT
  const account = `'${user}'@'127.0.0.1'`
  const { port, server } = await startPrivateDatabase(folder, {
    account: ACCOUNT,
    sql: [`CREATE USER ${account} IDENTIFIED BY '${password}';`, `GRANT ALL ON *.* TO ${account};`],
    settings: [`--ssl-ca=${caPath}`, `--ssl-cert=${certPath}`, `--ssl-key=${keyPath}`, '--require-secure-transport=ON'],
    isEncrypted: true,
  })
  owned.defer(() => server.stop())
  const scope = owned.move()
  return {
    url: (host, parameters = '') => `mysql://${user}:${password}@${host}:${port}/mysql${parameters}`,
    caPath,
    stranger: { keyPath: join(folder, 'stranger.key'), certPath: join(folder, 'stranger.pem') },
    [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
  }
}
