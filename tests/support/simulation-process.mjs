import { fileURLToPath } from 'node:url'
import { interruption, openSources } from './typescript-sources.mjs'

const sources = await openSources()
const { simulationCommand } = await sources.load('../simulation/command.ts')
const { SEED, TEST_DATABASE_URL } = process.env
process.exitCode = await simulationCommand({
  args: process.argv.slice(2),
  seed: SEED,
  databaseUrl: TEST_DATABASE_URL,
  folder: fileURLToPath(new URL('../../.data/simulation', import.meta.url)),
  output: process.stdout,
  signal: interruption(),
})
await sources.close()
