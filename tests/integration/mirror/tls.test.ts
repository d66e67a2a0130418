import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { connectOnce, openPrisma } from '../../../packages/mirror/src/database/connection.js'
import { parseDatabaseUrl } from '../../../packages/mirror/src/database/database-url.js'
import { openImpostor } from '../../support/mysql/impostor.js'
import { isTlsDatabasePossible, openTlsDatabase, type TlsDatabase } from '../../support/mysql/tls-database.js'

const CONNECTION = fileURLToPath(new URL('../../../packages/mirror/dist/database/connection.js', import.meta.url))
const DATABASE_URL = fileURLToPath(new URL('../../../packages/mirror/dist/database/database-url.js', import.meta.url))

// MySQL says it in so many words; MariaDB gives the answer to a wrong password.
const CLEAR_TEXT_REFUSED = /^database_(tls_required|login_refused): .*sslaccept=strict/

const isPossible = await isTlsDatabasePossible()
if (!isPossible) console.warn('SKIPPED: TLS to the database, because a database server or openssl is not installed')

const cipherOf = async (url: string) => {
  await using connection = await connectOnce(parseDatabaseUrl(url))
  const [row] = await connection.query<{ Value: string }[]>("SHOW STATUS LIKE 'Ssl_cipher'")
  return row?.Value
}
const codeOf = (url: string) =>
  cipherOf(url).catch((error: { code: unknown; message: string }) => `${error.code}: ${error.message}`)

describe.skipIf(!isPossible)('a database that takes only encrypted connections', () => {
  let database: TlsDatabase
  beforeAll(async () => {
    database = await openTlsDatabase()
  })
  afterAll(() => database[Symbol.asyncDispose]())

  test('is reached with the bare URL of PlanetScale, when the system trusts its authority', async () => {
    // Only a new process reads which authorities it is to trust, and a new process cannot run the sources.
    const script = `
      import { connectOnce } from ${JSON.stringify(CONNECTION)}
      import { parseDatabaseUrl } from ${JSON.stringify(DATABASE_URL)}
      const connection = await connectOnce(parseDatabaseUrl(process.argv[1]))
      const [row] = await connection.query("SHOW STATUS LIKE 'Ssl_cipher'")
      console.log(row.Value)
      await connection.end()`
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '-e', script, database.url('localhost', '?sslaccept=strict')],
      { env: { NODE_EXTRA_CA_CERTS: database.caPath } },
    )
    expect(stdout.trim()).toMatch(/^TLS_|AES|CHACHA/)
  })

  test('is reached encrypted with an authority named in sslcert', async () => {
    expect(await cipherOf(database.url('localhost', `?sslcert=${database.caPath}`))).toMatch(/./)
    expect(await cipherOf(database.url('localhost', `?sslaccept=strict&sslcert=${database.caPath}`))).toMatch(/./)
  })

  test('is reached encrypted by Prisma’s pool', async () => {
    const prisma = openPrisma(parseDatabaseUrl(database.url('localhost', `?sslcert=${database.caPath}`)))
    const rows = await prisma.$queryRaw<{ Value: string }[]>`SHOW STATUS LIKE 'Ssl_cipher'`
    await prisma.$disconnect()
    expect(rows[0]?.Value).toMatch(/./)
  })

  test('is refused when nobody trusted has signed its certificate', async () => {
    expect(await codeOf(database.url('localhost', '?sslaccept=strict'))).toMatch(
      /^database_certificate_refused: .*sslcert/,
    )
  })

  test('is refused by Prisma’s pool as well', async () => {
    const prisma = openPrisma(parseDatabaseUrl(database.url('localhost', '?sslaccept=strict&connect_timeout=1')))
    await expect(prisma.$queryRaw`SELECT 1`).rejects.toThrow()
    await prisma.$disconnect()
  })

  test('is refused when its certificate is for another name', async () => {
    const url = database.url('127.0.0.1', `?sslcert=${database.caPath}`)
    expect(await codeOf(url)).toMatch(/^database_certificate_refused/)
  })

  test('is reached encrypted, whoever it is, when told to accept invalid certificates', async () => {
    expect(await cipherOf(database.url('127.0.0.1', '?sslaccept=accept_invalid_certs'))).toMatch(/./)
  })

  test('refuses clear text, and the fault says what to write', async () => {
    expect(await codeOf(database.url('localhost', '?sslaccept=disabled'))).toMatch(CLEAR_TEXT_REFUSED)
    expect(await codeOf(database.url('localhost'))).toMatch(CLEAR_TEXT_REFUSED)
  })

  test('is not asked when the file with the authorities cannot be read', async () => {
    expect(await codeOf(database.url('localhost', '?sslcert=/nowhere/ca.pem'))).toMatch(
      /^database_ca_unreadable: .*\/nowhere\/ca\.pem/,
    )
  })

  test.each([
    ['mysql_clear_password', null],
    ['mysql_native_password', 'mysql_clear_password'],
    ['mysql_native_password', 'sha256_password'],
  ])(
    'an impostor who calls himself MariaDB and asks for %s, then %s, gets nothing of the login',
    async (first, then) => {
      await using impostor = await openImpostor(database.stranger, first, then)
      const options = { ...parseDatabaseUrl(database.url('localhost', '?sslaccept=strict')), host: '127.0.0.1' }
      const outcome = connectOnce({ ...options, port: impostor.port }).catch((error: { code: string }) => error.code)
      expect({ outcome: await outcome, heard: impostor.decrypted() }).toEqual({
        outcome: 'database_certificate_refused',
        heard: '',
      })
    },
  )
})

test('a database without TLS is not spoken to in clear text when TLS is asked for', async () => {
  const url = new URL(inject('databaseUrl'))
  url.pathname = '/mysql'
  url.search = '?sslaccept=strict'
  // MySQL makes itself an unsigned certificate; MariaDB 10 has none.
  expect(await codeOf(url.href)).toMatch(/^database_(tls_unavailable|certificate_refused)/)
})
