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
const command = await loader.ssrLoadModule(fileURLToPath(new URL('../simulation/command.ts', import.meta.url)))

const interruption = new AbortController()
process.once('SIGINT', () => interruption.abort())
process.once('SIGTERM', () => interruption.abort())

const { SEED, TEST_DATABASE_URL } = process.env
process.exitCode = await command.simulationCommand({
  args: process.argv.slice(2),
  seed: SEED,
  databaseUrl: TEST_DATABASE_URL,
  folder: fileURLToPath(new URL('../../.data/simulation', import.meta.url)),
  output: process.stdout,
  signal: interruption.signal,
})
await loader.close()
