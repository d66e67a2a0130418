import { defaultServerConditions } from 'vite'
import { defineConfig } from 'vitest/config'
import { TotalsReporter } from './tests/support/totals-reporter.js'

/** Servers start, events travel, time-outs run out: a test that takes longer hangs. */
const MINUTE_MS = 60_000

const onServers = {
  globalSetup: './tests/support/global-setup.ts',
  testTimeout: MINUTE_MS,
  hookTimeout: MINUTE_MS,
}

const folder = (name: string, test: { testTimeout?: number } = {}) => ({
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
