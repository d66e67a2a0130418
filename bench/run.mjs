import { fileURLToPath } from 'node:url'
import { createServer, defaultServerConditions } from 'vite'

// Benchmarks are TypeScript on the sources of our packages, like the tests, and Node 20 runs neither.
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
const [name = '', ...args] = process.argv.slice(2)
try {
  const { bench } = await loader.ssrLoadModule(fileURLToPath(new URL(`./${name}.ts`, import.meta.url)))
  await bench(args)
} finally {
  await loader.close()
}
