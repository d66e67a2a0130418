import type { Metrics } from '@clerk-mirror/runtime'

export type ConsoleMetrics = ReturnType<typeof consoleMetrics>

export const consoleMetrics = (metrics: Metrics) => ({
  refused: metrics.counter({
    name: 'clerk_mirror_console_refused_total',
    help: 'Requests to the console answered with an error, by code',
    labels: ['code'],
  }),
})
