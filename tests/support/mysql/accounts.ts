import { randomBytes } from 'node:crypto'
import { inject } from 'vitest'
import { connectOnce } from '../../../packages/mirror/src/database/connection.js'
import { parseDatabaseUrl } from '../../../packages/mirror/src/database/database-url.js'
import { splitStatements } from '../../../packages/mirror/src/migrate/sql-statements.js'
import { documented } from '../documented.js'
import { runCli } from '../processes/processes.js'

export type Account = 'migrate' | 'worker' | 'console' | 'profiles' | 'cli'

export type AccountsDatabase = AsyncDisposable & {
  /** `DATABASE_URL` of that process. */
  url: (account: Account) => string
  /** As an administrator. */
  query: <Row>(sql: string, params?: unknown[]) => Promise<Row[]>
  /** The same, in the names of the document. */
  run: (statements: readonly string[]) => Promise<void>
}

/** A migrated database of its own with the documented accounts, under other names, on the server of this run. */
export async function openAccountsDatabase(): Promise<AccountsDatabase> {
  const [beforeTables = '', onTables = ''] = documented('sql')
  const name = `clerk_mirror_${randomBytes(6).toString('hex')}`
  // MariaDB and MySQL allow 32 characters of a name.
  const prefix = `test_${randomBytes(4).toString('hex')}`
  const password = randomBytes(24).toString('hex')
  const own = (sql: string) =>
    sql
      .replaceAll(/\bclerk_mirror_(?=(?:migrate|worker|console|profiles|cli)\b)/g, `${prefix}_`)
      .replaceAll(/\bclerk_mirror\b/g, name)
      .replaceAll('MAKE_UP_A_PASSWORD', password)
  const urlOf = (access: { username?: string; password?: string }) =>
    Object.assign(new URL(inject('databaseUrl')), { pathname: `/${name}`, ...access }).href
  const url = (account: Account) => urlOf({ username: `${prefix}_${account}`, password })
  const admin = parseDatabaseUrl(urlOf({}))
  const run = async (statements: readonly string[]) => {
    await using connection = await connectOnce({ ...admin, database: '' })
    for (const statement of statements) await connection.query(own(statement))
  }
  const remove = () => {
    const users = [...beforeTables.matchAll(/CREATE USER (\w+)/g)].map(([, user]) => `DROP USER IF EXISTS ${user}`)
    return run(['DROP DATABASE IF EXISTS clerk_mirror', ...users])
  }
  try {
    await run(splitStatements(beforeTables))
    const migrated = await runCli('migrate', { DATABASE_URL: url('migrate') })
    if (migrated.code !== 0) throw new Error(`the account of migrate cannot migrate: ${migrated.stderr}`)
    await run(splitStatements(onTables))
  } catch (error) {
    await remove()
    throw error
  }
  return {
    url,
    async query(sql, params) {
      await using connection = await connectOnce(admin)
      return await connection.query(sql, params)
    },
    run,
    [Symbol.asyncDispose]: remove,
  }
}
