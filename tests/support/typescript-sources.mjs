import { fileURLToPath } from 'node:url'
import { createServer, defaultServerConditions } from 'vite'

/**
 * Loads a module of the tests, which is TypeScript on the sources of our packages: Node 20 runs neither. The path is
 * relative to this folder.
 */
export async function openSources() {
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
  return {
    load: (path) => loader.ssrLoadModule(fileURLToPath(new URL(path, import.meta.url))),
    close: () => loader.close(),
  }
}

/** Aborts on Ctrl-C and SIGTERM. */
export function interruption() {
  const controller = new AbortController()
  process.once('SIGINT', () => controller.abort())
  process.once('SIGTERM', () => controller.abort())
  return controller.signal
}
