import {
  collectDefaultMetrics,
  Counter as PromCounter,
  Gauge as PromGauge,
  Histogram as PromHistogram,
  Registry,
} from 'prom-client'
import { readBuild } from './build.js'
import { droppedLogLines } from './log-output.js'

export interface MetricDefinition<L extends string> {
  readonly name: `clerk_mirror_${string}`
  readonly help: string
  /** Names of labels with few possible values: never an id. */
  readonly labels?: readonly L[]
}

export interface HistogramDefinition<L extends string> extends MetricDefinition<L> {
  /** Upper bounds, rising, in the unit that the metric's name ends in. */
  readonly buckets: readonly number[]
}

/** Every label of a metric, each time: a forgotten one would be a series of its own. */
export type Labels<L extends string> = Readonly<Record<L, string>>

export interface Counter<L extends string> {
  inc(labels: Labels<L>, by?: number): void
}

export interface Gauge<L extends string> {
  set(labels: Labels<L>, value: number): void
  /** Leaves no series until it is set again: for values that this process does not know at present. */
  clear(): void
}

export interface Histogram<L extends string> {
  observe(labels: Labels<L>, value: number): void
}

export interface Metrics {
  /** Each throws when the name is taken. Without labels, pass `{}` to the metric's method. */
  counter<L extends string = never>(definition: MetricDefinition<L>): Counter<L>
  gauge<L extends string = never>(definition: MetricDefinition<L>): Gauge<L>
  histogram<L extends string = never>(definition: HistogramDefinition<L>): Histogram<L>
  /**
   * Runs at each scrape, before the answer is written; for values that are polled instead of pushed. Must not throw.
   */
  beforeScrape(collect: () => Promise<void>): void
  /** The body and the content type of an answer to a Prometheus scrape. */
  text(): Promise<string>
  readonly contentType: string
}

/**
 * A registry of its own for each call, with the usual metrics of a Node process and its build; every metric has the
 * label `app`.
 */
export function openMetrics(app: string): Metrics {
  const registry = new Registry()
  registry.setDefaultLabels({ app })
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const collectors: (() => Promise<void>)[] = []
  const metrics: Metrics = {
    counter: ({ labels = [], ...rest }) => new PromCounter({ ...rest, labelNames: labels, registers }),
    gauge: ({ labels = [], ...rest }) => {
      const gauge = new PromGauge({ ...rest, labelNames: labels, registers })
      return {
        set: (of, value) => gauge.set(of, value),
        clear() {
          gauge.reset()
          // A gauge without labels would be 0 instead of absent.
          if (labels.length === 0) gauge.remove()
        },
      }
    },
    histogram: ({ labels = [], buckets, ...rest }) =>
      new PromHistogram({ ...rest, buckets: [...buckets], labelNames: labels, registers }),
    beforeScrape: (collect) => void collectors.push(collect),
    async text() {
      await Promise.all(collectors.map((collect) => collect()))
      return registry.metrics()
    },
    contentType: registry.contentType,
  }
  exportProcess(metrics)
  return metrics
}

/** Metrics of every process. */
function exportProcess(metrics: Metrics): void {
  const build = metrics.gauge({
    name: 'clerk_mirror_build_info',
    help: 'Always 1, with the version and the commit that runs.',
    labels: ['version', 'commit'],
  })
  const { version, commit } = readBuild()
  build.set({ version, commit }, 1)
  const dropped = metrics.counter({
    name: 'clerk_mirror_log_lines_dropped_total',
    help: 'Log lines that were dropped because the reader of standard output did not read.',
  })
  let exported = 0
  metrics.beforeScrape(async () => {
    const lines = droppedLogLines()
    dropped.inc({}, lines - exported)
    exported = lines
  })
}
