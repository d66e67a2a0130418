import { defaultServerConditions } from 'vite'
import { defineConfig } from 'vitest/config'
import { TotalsReporter } from './tests/support/totals-reporter.js'

/** Ten times the slowest test on a quiet machine: a slow and busy machine fails no test. */
const TIMEOUT_MS = 300_000

const onServers = {
  globalSetup: './tests/support/global-setup.ts',
}

const folder = (name: string, test: { globalSetup?: string } = {}) => ({
  extends: true as const,
  test: { name, include: [`tests/${name}/**/*.test.ts`], ...test },
})

export default defineConfig({
  // Our packages from their sources: a test must not pass because of an old build.
  // Not 'module': Node is told of it too, and packages have code for bundlers there that Node cannot read.
  ssr: { resolve: { conditions: ['source', ...defaultServerConditions.filter((name) => name !== 'module')] } },
  test: {
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: TIMEOUT_MS,
    hookTimeout: TIMEOUT_MS,
    reporters: ['default', new TotalsReporter()],
    projects: [
      folder('unit'),
      folder('integration', onServers),
      folder('e2e', onServers),
      folder('simulation', onServers),
      folder('repo'),
    ],
  },
})
