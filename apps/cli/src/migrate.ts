import { fileURLToPath } from 'node:url'
import { migrate, parseDatabaseUrl } from '@clerk-mirror/mirror'
import { readConfig, secret } from '@clerk-mirror/runtime'
import { type Command, WrongUsage } from './command.js'
import { noteClearText } from './operations.js'

/** From apps/cli/dist, in a checkout as in the image. */
const MIGRATIONS = fileURLToPath(new URL('../../../prisma/migrations', import.meta.url))

export const migrateDatabase: Command = {
  usage: '[--json]',
  summary: 'Apply the database migrations that are missing, as `prisma migrate deploy` would.',
  examples: ['migrate', 'migrate --json'],
  options: {},
  async run({ env, values, positionals, out, note }) {
    if (positionals.length > 0) throw new WrongUsage('it applies all migrations, and takes no name of one')
    const database = readConfig(env, (read) => read.required('DATABASE_URL', secret(parseDatabaseUrl)))
    noteClearText({ note }, { database: database.reveal() })
    const say = values['json'] ? () => {} : note
    const log = (entry: object) => say(Object.values(entry).join(' '))
    const { applied, alreadyApplied } = await migrate(database.reveal(), { folder: MIGRATIONS, log })
    if (values['json']) out(JSON.stringify({ applied, alreadyApplied }))
    else out(applied.length > 0 ? `Applied ${applied.join(', ')}.` : `Nothing to do: ${alreadyApplied} applied before.`)
    return 0
  },
}
