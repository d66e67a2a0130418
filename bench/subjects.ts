import type { Releasers } from '@clerk-mirror/runtime'
import { type Contestant, IN_FLIGHT, scored, timed } from './contestant.js'
import { assertExact } from './exact.js'
import type { Program } from './program.js'
import type { Stage } from './stage.js'

/** The mirror's own programs, as they are built, one after the other or together. */
export type Subjects = {
  ingest: Program & { port: number }
  worker: Program
  /** The door alone, the worker on a backlog, and both together. */
  accept: Contestant
  drain: Contestant
  road: Contestant
}

export async function openSubjects(stage: Stage, owned: Releasers): Promise<Subjects> {
  const ingest = await stage.start('ingest', owned)
  const worker = await stage.start('worker', owned)
  const pace = { connections: IN_FLIGHT }
  return {
    ingest,
    worker,
    /** The worker is frozen while the door takes events; afterwards it applies them. */
    async accept(deliveries) {
      const signed = stage.sign(deliveries)
      const processes = stage.processes(['generator', 'Redis'], { ingest: ingest.pid })
      worker.freeze()
      const score = await scored(deliveries, processes, async () => {
        return (await stage.sendSigned(signed, ingest.port, pace)).tookMs
      })
      worker.thaw()
      await stage.drained()
      await assertExact(stage, deliveries)
      return score
    },
    drain: (deliveries) => drainBacklog(stage, [worker], deliveries),
    /** From the first request until the last event is applied. */
    async road(deliveries) {
      const signed = stage.sign(deliveries)
      const processes = stage.processes(['generator', 'Redis', 'MariaDB'], { ingest: ingest.pid, worker: worker.pid })
      const score = await scored(deliveries, processes, () =>
        timed(async () => {
          await stage.sendSigned(signed, ingest.port, pace)
          await stage.drained()
        }),
      )
      await assertExact(stage, deliveries)
      return score
    },
  }
}

/** Workers wake up to a backlog; from then until it is applied. */
export async function drainBacklog(
  stage: Stage,
  workers: readonly Program[],
  deliveries: Parameters<Contestant>[0],
  check: (stage: Stage, deliveries: Parameters<Contestant>[0]) => Promise<void> = assertExact,
): ReturnType<Contestant> {
  for (const worker of workers) worker.freeze()
  await stage.fill(deliveries)
  const pids = workers.map(({ pid }, index) => [index === 0 ? 'worker' : `worker ${index + 1}`, pid])
  const score = await scored(deliveries, stage.processes(['Redis', 'MariaDB'], Object.fromEntries(pids)), () =>
    timed(async () => {
      for (const worker of workers) worker.thaw()
      await stage.drained()
    }),
  )
  await check(stage, deliveries)
  return score
}
