import type { QueueGauges } from './gauges.js'

type Definition<L extends string> = { name: `clerk_mirror_${string}`; help: string; labels?: readonly L[] }
type Gauge<L extends string> = { set: (labels: Readonly<Record<L, string>>, value: number) => void; clear: () => void }

/** The needed part of a process' metrics. */
export type GaugeRegistry = {
  gauge: <L extends string = never>(definition: Definition<L>) => Gauge<L>
  beforeScrape: (collect: () => Promise<void>) => void
}

/** Adds the queue's gauges to the metrics of a process; they have values while this process holds the lease. */
export function exportQueueGauges(gauges: QueueGauges, metrics: GaugeRegistry): void {
  const events = metrics.gauge({
    name: 'clerk_mirror_queue_events',
    help: 'Events in the queue, by state: waiting, active, retrying or dead',
    labels: ['state'],
  })
  const oldest = metrics.gauge({
    name: 'clerk_mirror_queue_oldest_seconds',
    help: 'Age of the oldest event that waits or runs, since it was queued, replayed or due for its retry',
  })
  const dead = metrics.gauge({
    name: 'clerk_mirror_queue_dead_letters',
    help: 'Dead letters in the queue, by class',
    labels: ['class'],
  })
  const blocked = metrics.gauge({
    name: 'clerk_mirror_queue_blocked_events',
    help: 'Events that a constraint or a lock of the application stops, by error code',
    labels: ['code'],
  })
  const memory = metrics.gauge({
    name: 'clerk_mirror_redis_memory_ratio',
    help: 'Used share of the maxmemory of Redis, of its fullest node',
  })
  const disagreements = metrics.gauge({
    name: 'clerk_mirror_disagreements',
    help: 'Values in which living processes differ that should agree, by setting; 0 where they do',
    labels: ['setting'],
  })
  metrics.beforeScrape(async () => {
    const reading = await gauges.read()
    // No await from here on: a concurrent scrape must not find them cleared.
    for (const gauge of [events, oldest, dead, blocked, memory, disagreements]) gauge.clear()
    if (!reading) return
    for (const [state, count] of Object.entries(reading.events)) events.set({ state }, count)
    oldest.set({}, reading.oldestMs / 1000)
    for (const [name, count] of Object.entries(reading.deadByClass ?? {})) dead.set({ class: name }, count)
    for (const [code, count] of Object.entries(reading.blockedByCode)) blocked.set({ code }, count)
    if (reading.memoryShare !== null) memory.set({}, reading.memoryShare)
    for (const [setting, values] of Object.entries(reading.disagreements ?? {})) disagreements.set({ setting }, values)
  })
}

/** The same for the reactions queue, in which each reaction has a partition of its own. */
export function exportReactionGauges(gaugesOf: ReadonlyMap<string, QueueGauges>, metrics: GaugeRegistry): void {
  const runs = metrics.gauge({
    name: 'clerk_mirror_reaction_queue_runs',
    help: 'Runs of reactions in their queue, by state: waiting, active, retrying or dead',
    labels: ['reaction', 'state'],
  })
  const oldest = metrics.gauge({
    name: 'clerk_mirror_reaction_queue_oldest_seconds',
    help: 'Age of the oldest run that waits or runs, since it was queued, replayed or due for its retry',
    labels: ['reaction'],
  })
  const dead = metrics.gauge({
    name: 'clerk_mirror_reaction_queue_dead_letters',
    help: 'Dead letters of reactions, by class',
    labels: ['reaction', 'class'],
  })
  metrics.beforeScrape(async () => {
    const all = [...gaugesOf].map(async ([reaction, gauges]) => ({ reaction, reading: await gauges.read() }))
    const readings = await Promise.all(all)
    // As above: no await from here on.
    for (const gauge of [runs, oldest, dead]) gauge.clear()
    for (const { reaction, reading } of readings) {
      if (!reading) continue
      for (const [state, count] of Object.entries(reading.events)) runs.set({ reaction, state }, count)
      oldest.set({ reaction }, reading.oldestMs / 1000)
      for (const [name, count] of Object.entries(reading.deadByClass ?? {})) dead.set({ reaction, class: name }, count)
    }
  })
}
