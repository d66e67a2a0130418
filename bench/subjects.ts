import type { Releasers } from '@clerk-mirror/runtime'
import { type Contestant, IN_FLIGHT, scored, timed } from './contestant.js'
import { assertExact } from './exact.js'
import type { Program } from './program.js'
import type { Home, Stage } from './stage.js'

/** The mirror's own programs, as they are built, one after the other or together. */
export type Subjects = {
  ingest: Program & { port: number }
  worker: Program
  /** Ingest alone, the worker on a backlog, and both together. */
  accept: Contestant
  drain: Contestant
  road: Contestant
}

export async function openSubjects(stage: Stage, owned: Releasers, home: Home = stage.home): Promise<Subjects> {
  const ingest = await stage.start('ingest', owned, home)
  const worker = await stage.start('worker', owned, home)
  const pace = { connections: IN_FLIGHT }
  return {
    ingest,
    worker,
    /** The worker is frozen while ingest takes events; afterwards it applies them. */
    async accept(deliveries) {
      const signed = stage.sign(deliveries)
      const processes = stage.processes(['generator', 'Redis'], { ingest: ingest.pid }, home)
      worker.freeze()
      const score = await scored(deliveries, processes, async () => {
        return (await stage.sendSigned(signed, ingest.port, pace)).tookMs
      })
      worker.thaw()
      await stage.drained(home.queues)
      await assertExact(stage, deliveries)
      return score
    },
    drain: (deliveries) => drainBacklog(stage, [worker], deliveries, { home }),
    /** From the first request until the last event is applied. */
    async road(deliveries) {
      const signed = stage.sign(deliveries)
      const ours = { ingest: ingest.pid, worker: worker.pid }
      const processes = stage.processes(['generator', 'Redis', 'MariaDB'], ours, home)
      const score = await scored(deliveries, processes, () =>
        timed(async () => {
          await stage.sendSigned(signed, ingest.port, pace)
          await stage.drained(home.queues)
        }),
      )
      await assertExact(stage, deliveries)
      return score
    },
  }
}

type DrainOptions = {
  home?: Home
  check?: (stage: Stage, deliveries: Parameters<Contestant>[0]) => Promise<void>
}

/** Workers wake up to a backlog; from then until it is applied. */
export async function drainBacklog(
  stage: Stage,
  workers: readonly Program[],
  deliveries: Parameters<Contestant>[0],
  { home = stage.home, check = assertExact }: DrainOptions = {},
): ReturnType<Contestant> {
  for (const worker of workers) worker.freeze()
  await stage.fill(deliveries, home)
  const pids = workers.map(({ pid }, index) => [index === 0 ? 'worker' : `worker ${index + 1}`, pid])
  const processes = stage.processes(['Redis', 'MariaDB'], Object.fromEntries(pids), home)
  const score = await scored(deliveries, processes, () =>
    timed(async () => {
      for (const worker of workers) worker.thaw()
      await stage.drained(home.queues)
    }),
  )
  await check(stage, deliveries)
  return score
}
