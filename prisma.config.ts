import { defineConfig } from 'prisma/config'

// `prisma generate` does not run the native schema engine, but the CLI fetches it all the same and fails where
// Prisma's host cannot be reached. Any executable satisfies it. The other commands do need the real one.
if (process.argv.includes('generate')) process.env['PRISMA_SCHEMA_ENGINE_BINARY'] ??= process.execPath

export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  ...(process.env['DATABASE_URL'] ? { datasource: { url: process.env['DATABASE_URL'] } } : {}),
})
