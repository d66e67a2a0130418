import { interruption, openSources } from './typescript-sources.mjs'

const sources = await openSources()
const { edgeCommand } = await sources.load('../edge/command.ts')
process.exitCode = await edgeCommand({ args: process.argv.slice(2), output: process.stdout, signal: interruption() })
await sources.close()
