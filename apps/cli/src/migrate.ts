import { fileURLToPath } from 'node:url'
import { type MigrationStatus, migrate, migrationStatus, parseDatabaseUrl } from '@clerk-mirror/mirror'
import { type Environment, readConfig, secret } from '@clerk-mirror/runtime'
import { type Command, WrongUsage } from './command.js'
import { noteClearText } from './operations.js'

/** From apps/cli/dist, in a checkout as in the image. */
const MIGRATIONS = fileURLToPath(new URL('../../../prisma/migrations', import.meta.url))

const databaseOf = (env: Environment) =>
  readConfig(env, (read) => read.required('DATABASE_URL', secret(parseDatabaseUrl))).reveal()

export const migrateDatabase: Command = {
  usage: '[--json]',
  summary: 'Apply pending database migrations, as `prisma migrate deploy` would.',
  examples: ['migrate', 'migrate --json'],
  options: {},
  async run({ env, values, positionals, out, note }) {
    if (positionals.length > 0) throw new WrongUsage('it applies all migrations, and takes no name of one')
    const database = databaseOf(env)
    noteClearText({ note }, { database })
    const say = values['json'] ? () => {} : note
    const log = (entry: object) => say(Object.values(entry).join(' '))
    const { applied, alreadyApplied } = await migrate(database, { folder: MIGRATIONS, log })
    if (values['json']) out(JSON.stringify({ applied, alreadyApplied }))
    else out(applied.length > 0 ? `Applied ${applied.join(', ')}.` : `Nothing to do: ${alreadyApplied} applied before.`)
    return 0
  },
}

export const showMigrations: Command = {
  usage: '[--json]',
  summary: 'Show applied migrations, and additions of your application to the tables that can stop events.',
  examples: ['migrate status', 'migrate status --json'],
  options: {},
  async run({ env, values, positionals, out }) {
    if (positionals.length > 0) throw new WrongUsage('it shows all migrations, and takes no name of one')
    const status = await migrationStatus(databaseOf(env), MIGRATIONS)
    out(values['json'] ? JSON.stringify(status) : textOf(status))
    return 0
  },
}

function textOf({ applied, pending, foreign }: MigrationStatus): string {
  const names = pending.map((name) => `  ${name}`)
  const migrations =
    pending.length === 0 ? [`All ${applied.length} migrations are applied.`] : ['Not applied:', ...names]
  const constraints = foreign.map(({ message }) => `Note: ${message}.`)
  return [...migrations, ...constraints].join('\n')
}
