import { fileURLToPath } from 'node:url'
import { interruption, openSources } from './typescript-sources.mjs'

const sources = await openSources()
const { chaosCommand } = await sources.load('../chaos/command.ts')
const exitCode = await chaosCommand({
  args: process.argv.slice(2),
  seed: process.env.SEED,
  root: fileURLToPath(new URL('../..', import.meta.url)),
  folder: fileURLToPath(new URL('../../.data/chaos', import.meta.url)),
  output: process.stdout,
  signal: interruption(),
})
await sources.close()
// By itself Node 20 may spin for ever in its own clean-up, where sockets were reset before.
process.exit(exitCode)
