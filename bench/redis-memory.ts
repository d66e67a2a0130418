import type { Delivery } from '@clerk-mirror/devstack'
import type { Releasers } from '@clerk-mirror/runtime'
import { assertExact } from './exact.js'
import type { Report, Row } from './report.js'
import type { Run } from './section.js'
import type { Stage } from './stage.js'
import { ratioOf, thousands } from './statistics.js'
import { freshSeed, ordinaryTraffic, padded } from './traffic.js'

const BODY_BYTES = 2_048
/** Streams and tables of keys grow in steps: less than this per event is nothing. */
const NOTHING_BYTES = 20

/** Redis' memory for an event of 2 KB while it waits and after it was applied, beside a stock Queue's job. */
export async function redisMemorySection(stage: Stage, owned: Releasers, { quick, say }: Run): Promise<Report> {
  const count = quick ? 10_000 : 40_000
  const small = ordinaryTraffic(count * 2, freshSeed()).filter(({ body }) => Buffer.byteLength(body) < BODY_BYTES - 40)
  const deliveries = small
    .filter(({ type }) => type !== 'user.deleted')
    .slice(0, count)
    .map((each) => padded(each, BODY_BYTES))
  say('a stock Queue')
  const empty = await usedBytes(stage)
  const data = deliveries.map(({ eventId, type, body }) => ({
    name: type,
    data: { body },
    opts: { jobId: eventId, attempts: 8, backoff: { type: 'exponential', delay: 1_000 } },
  }))
  await stage.queue.addBulk(data)
  const stock = ((await usedBytes(stage)) - empty) / deliveries.length
  await stage.queue.obliterate({ force: true })
  say('ingest and the worker')
  const worker = await stage.start('worker', owned)
  const drain = async (some: readonly Delivery[]) => {
    worker.freeze()
    await stage.fill(some)
    const full = await usedBytes(stage)
    worker.thaw()
    await stage.drained()
    return { full, empty: await usedBytes(stage) }
  }
  // Connections, streams and the keys of gauges have their memory from now on, for any number of events.
  const before = await drain(deliveries.slice(0, deliveries.length / 2))
  const after = await drain(deliveries.slice(deliveries.length / 2))
  await assertExact(stage, deliveries)
  const drained = deliveries.length / 2
  const waiting = (after.full - before.empty) / drained
  const applied = (after.empty - before.empty) / drained
  const row = (what: string, bytes: number, reference: string, most: number): Row => {
    const target = `≤ ${thousands(most)} bytes`
    return { what, subject: `${thousands(bytes)} bytes`, reference, ratio: null, target, met: bytes <= most }
  }
  const rows = [
    row('per waiting event of 2 KB', waiting, `a stock Queue: ${thousands(stock)} bytes`, 2_800),
    row('per applied event', applied, 'a stock Queue keeps it', NOTHING_BYTES),
  ]
  const first = { ...rows[0], ratio: ratioOf([waiting / stock]) } as Row
  return {
    title: 'Redis’ memory',
    about: `${thousands(deliveries.length)} events whose bodies have ${thousands(BODY_BYTES)} bytes, by Redis’ used_memory without the buffers of connections and of the log. The private Redis of the stack has \`hash-max-listpack-value 8192\`, as docs/deploy.md advises. Of as many events again that were applied, nothing is left.`,
    rows: [first, ...rows.slice(1)],
  }
}

/** Without the buffers of connections and of the log, which are as large as the last burst was. */
async function usedBytes({ redis }: Stage): Promise<number> {
  const info = await redis.info('memory')
  const bytesOf = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0)
  return bytesOf('used_memory') - bytesOf('mem_clients_normal') - bytesOf('mem_aof_buffer')
}
