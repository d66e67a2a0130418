import type { Delivery } from '@clerk-mirror/devstack'
import { connectionConfig, parseDatabaseUrl } from '@clerk-mirror/mirror'
import type { Releasers } from '@clerk-mirror/runtime'
import { Queue } from 'bullmq'
import { Child } from './child.js'
import { type Contestant, IN_FLIGHT, scored, timed } from './contestant.js'
import { assertLedger } from './exact.js'
import type { Stage } from './stage.js'

/** Our worker's limits: see its limits.ts. */
const BATCH = 128
const LANES = 2

const databaseOf = (stage: Stage) => ({
  ...connectionConfig(parseDatabaseUrl(stage.databaseUrl('reference')), 'work'),
  timezone: 'Z',
})

/** R1: Fastify that reads the body and answers 202; with `verify`, after it has checked the signature. */
export async function bareFastify(
  stage: Stage,
  owned: Releasers,
  verify: 'none' | 'ours' | 'svix' = 'none',
): Promise<Contestant> {
  const server = owned.use(await Child.start('references/bare-fastify.mjs'))
  const { port } = await server.ask<{ port: number }>({ verify, secret: stage.secret })
  const pace = { connections: IN_FLIGHT }
  return async (deliveries) => {
    const signed = stage.sign(deliveries)
    const processes = stage.processes(['generator'], { server: server.pid })
    return scored(deliveries, processes, async () => (await stage.sendSigned(signed, port, pace)).tookMs)
  }
}

/** R2: svix' verification and Prisma's upsert while the sender waits. */
export async function usualHandler(stage: Stage, owned: Releasers, inFlight: number): Promise<Contestant> {
  const server = owned.use(await Child.start('references/usual-handler.mjs'))
  const order = { database: databaseOf(stage), secret: stage.secret, connections: inFlight }
  const { port } = await server.ask<{ port: number }>(order)
  const pace = { connections: inFlight }
  return async (deliveries) => {
    const signed = stage.sign(deliveries)
    const processes = stage.processes(['generator', 'MariaDB'], { server: server.pid })
    return scored(deliveries, processes, async () => (await stage.sendSigned(signed, port, pace)).tookMs)
  }
}

/** R4: the driver's own multi-row inserts of the rows that the mirror writes. */
export async function bulkInsert(stage: Stage, owned: Releasers): Promise<Contestant> {
  const child = owned.use(await Child.start('references/bulk-insert.mjs'))
  await child.ask({ database: databaseOf(stage), lanes: LANES, batch: BATCH })
  return async (deliveries) => {
    const file = stage.listed(deliveries)
    const processes = stage.processes(['MariaDB'], { driver: child.pid })
    const score = await scored(deliveries, processes, () => child.ask<number>({ file }))
    await assertLedger(stage, deliveries.length)
    return score
  }
}

/** R5's producer: a stock Queue, one `add` for each event. */
export async function stockProducer(stage: Stage, owned: Releasers): Promise<Contestant> {
  const child = owned.use(await Child.start('references/stock-producer.mjs'))
  const queue = stockQueue(stage, owned, '{add}')
  await child.ask({ redisUrl: stage.home.redisUrl, prefix: '{add}', inFlight: IN_FLIGHT })
  return async (deliveries) => {
    const file = stage.listed(deliveries)
    const processes = stage.processes(['Redis'], { producer: child.pid })
    const score = await scored(deliveries, processes, () => child.ask<number>({ file }))
    const waiting = await queue.getWaitingCount()
    if (waiting !== deliveries.length) throw new Error(`the run is not valid: ${waiting} events were added`)
    await queue.obliterate({ force: true })
    return score
  }
}

/** R3, and R5's worker: a stock Worker with one Prisma transaction for each event, or with nothing to do. */
export async function stockWorker(
  stage: Stage,
  owned: Releasers,
  concurrency: number,
  does: 'a transaction' | 'nothing',
): Promise<Contestant> {
  const prefix = `{${does === 'nothing' ? 'nothing' : 'usual'}-${concurrency}}`
  const queue = stockQueue(stage, owned, prefix)
  const worker = owned.use(await Child.start('references/stock-worker.mjs'))
  const database = does === 'nothing' ? undefined : databaseOf(stage)
  await worker.ask({ redisUrl: stage.home.redisUrl, prefix, concurrency, database })
  return async (deliveries) => {
    worker.freeze()
    await addAll(queue, deliveries)
    const processes = stage.processes(does === 'nothing' ? ['Redis'] : ['Redis', 'MariaDB'], { worker: worker.pid })
    const score = await scored(deliveries, processes, () =>
      timed(async () => {
        worker.thaw()
        await stage.drained([queue])
      }),
    )
    if (does !== 'nothing') await assertLedger(stage, deliveries.length)
    return score
  }
}

/** R3 with its producer: takes events at a rate, and returns how long each transaction took, in ms. */
export async function stockPair(
  stage: Stage,
  owned: Releasers,
  concurrency: number,
): Promise<(deliveries: readonly Delivery[], perS: number) => Promise<number[]>> {
  const prefix = '{pair}'
  const queue = stockQueue(stage, owned, prefix)
  const producer = owned.use(await Child.start('references/stock-producer.mjs'))
  const worker = owned.use(await Child.start('references/stock-worker.mjs'))
  await producer.ask({ redisUrl: stage.home.redisUrl, prefix, inFlight: IN_FLIGHT })
  await worker.ask({ redisUrl: stage.home.redisUrl, prefix, concurrency, database: databaseOf(stage) })
  return async (deliveries, perS) => {
    await producer.ask({ file: stage.listed(deliveries), perS })
    await stage.drained([queue])
    await assertLedger(stage, deliveries.length)
    return worker.ask<number[]>({})
  }
}

function stockQueue(stage: Stage, owned: Releasers, prefix: string): Queue {
  const queue = new Queue('reference', { connection: stage.redis, prefix })
  owned.defer(() => queue.close())
  return queue
}

const OPTIONS = { attempts: 8, backoff: { type: 'exponential', delay: 1_000 } }
const AT_ONCE = 500

async function addAll(queue: Queue, deliveries: readonly Delivery[]): Promise<void> {
  for (let from = 0; from < deliveries.length; from += AT_ONCE) {
    const some = deliveries.slice(from, from + AT_ONCE)
    await queue.addBulk(
      some.map(({ eventId, type, body }) => ({ name: type, data: { body }, opts: { ...OPTIONS, jobId: eventId } })),
    )
  }
}
