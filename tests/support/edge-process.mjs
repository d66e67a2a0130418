import { fileURLToPath } from 'node:url'
import { createServer, defaultServerConditions } from 'vite'

// The command is TypeScript on the sources of our packages, like the tests, and Node 20 runs neither.
const loader = await createServer({
  configFile: false,
  logLevel: 'warn',
  appType: 'custom',
  server: { middlewareMode: true, ws: false, watch: null },
  optimizeDeps: { noDiscovery: true },
  // Node 20 knows no `using`.
  oxc: { target: 'node20' },
  ssr: { resolve: { conditions: ['source', ...defaultServerConditions] } },
})
const command = await loader.ssrLoadModule(fileURLToPath(new URL('../edge/command.ts', import.meta.url)))

const interruption = new AbortController()
process.once('SIGINT', () => interruption.abort())
process.once('SIGTERM', () => interruption.abort())

process.exitCode = await command.edgeCommand({
  args: process.argv.slice(2),
  output: process.stdout,
  signal: interruption.signal,
})
await loader.close()
