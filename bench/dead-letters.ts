import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openServices } from '@clerk-mirror/devstack'
import { migrate, parseDatabaseUrl } from '@clerk-mirror/mirror'
import { type Operations, openOperations } from '@clerk-mirror/operations'
import { parseRedisUrl, partition } from '@clerk-mirror/queue/enqueue'
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { writeSection } from './results.js'

/*
 * Listing and replaying dead letters, against BullMQ's own getJobs and retryJobs in the same run. The reference does
 * less: it neither filters, nor asks the ledger, nor clears attempts, nor writes an audit. Rounds alternate, so that
 * the machine's other work falls on both.
 */
const ROUNDS = 5
const FEW = 10_000
const BODY = JSON.stringify({ type: 'user.created', data: { id: 'user_1', padding: 'x'.repeat(2_000) } })
const REASON = 'poison/malformed: data.id is not a string of 1 to 64 visible ASCII characters'

type Place = { redis: Redis; key: (name: string) => string; prefix: string }
type Timing = { ours: number[]; reference: number[] }

/** `--letters N` for the one long pass, `--redis URL --database URL` for servers that run already. */
export async function bench(args: string[]): Promise<void> {
  const options = {
    deadLetters: { type: 'string', default: '100000' },
    redis: { type: 'string' },
    database: { type: 'string' },
  } as const
  const { values } = parseArgs({ args, options })
  const dataDir = mkdtempSync(join(tmpdir(), 'clerk-mirror-bench-'))
  const say = (line: string) => void process.stderr.write(`${line}\n`)
  const { redis: redisUrl, database: databaseUrl } = values
  const services = await openServices({ dataDir, redisUrl, databaseUrl, say, tuning: 'fast-throwaway' })
  try {
    const admin = new URL(databaseUrl ?? services.database.adminUrl)
    admin.pathname = `/clerk_mirror_bench_${process.pid}`
    await run(services.redis.url, admin.href, Number(values.deadLetters), say)
  } finally {
    await services[Symbol.asyncDispose]()
    rmSync(dataDir, { recursive: true, force: true })
  }
}

async function run(redisUrl: string, databaseUrl: string, many: number, say: (line: string) => void): Promise<void> {
  const database = parseDatabaseUrl(databaseUrl)
  await migrate(database, { folder: join(import.meta.dirname, '../prisma/migrations'), log: () => {} })
  const own = partition(`{bench-${process.pid}}`)
  const place = { redis: new Redis(redisUrl), ...own }
  const operations = await openOperations({ redis: parseRedisUrl(redisUrl), partitions: [own], database })
  const stock = new Queue('clerk-events', { connection: { url: redisUrl }, prefix: own.prefix })
  try {
    const timings = { list: emptyTiming(), replay: emptyTiming() }
    await makeDeadLetters(place, FEW)
    for (let round = 1; round <= ROUNDS; round += 1) {
      say(`round ${round} of ${ROUNDS}`)
      timings.list.ours.push(await perSecond(FEW, () => listOurs(operations)))
      timings.list.reference.push(await perSecond(FEW, () => listStock(stock)))
      timings.replay.ours.push(await perSecond(FEW, () => replayOurs(operations)))
      await dieAgain(place)
      const retry = () => stock.retryJobs({ state: 'failed', count: 1_000, timestamp: Date.now() })
      timings.replay.reference.push(await perSecond(FEW, retry))
      await dieAgain(place)
    }
    say(`one pass over ${many} letters`)
    await makeDeadLetters(place, many)
    const longList = await withHeap(many, () => listOurs(operations))
    const longReplay = await withHeap(many, () => replayOurs(operations))
    writeSection('Dead letters', section(timings, many, longList, longReplay))
  } finally {
    await stock.obliterate({ force: true }).catch(() => {})
    await stock.close()
    await operations[Symbol.asyncDispose]()
    place.redis.disconnect()
  }
}

const emptyTiming = (): Timing => ({ ours: [], reference: [] })

/** As they lie there after a worker gave them up; written at once, since a worker would take hours. */
async function makeDeadLetters({ redis, key }: Place, count: number): Promise<void> {
  const data = JSON.stringify({ objectId: 'user_1', instanceId: null, source: 'clerk', body: BODY })
  const job = { name: 'user.created', data, opts: '{"attempts":8}', delay: 0, priority: 0, atm: 1, ats: 1 }
  const nowMs = Date.now()
  for (let from = 0; from < count; from += 1_000) {
    const pipeline = redis.pipeline()
    for (let index = from; index < Math.min(from + 1_000, count); index += 1) {
      const id = `msg_bench${index}`
      pipeline.hset(key(id), { ...job, timestamp: nowMs, failedReason: REASON, finishedOn: nowMs })
      // Several died in the same millisecond, as those of one batch do.
      pipeline.zadd(key('failed'), nowMs - count + Math.floor(index / 10), id)
    }
    pipeline.del(key('wait'))
    await pipeline.exec()
  }
}

/** Returns the replayed dead letters to their place. */
async function dieAgain({ redis, key }: Place): Promise<void> {
  const ids = await redis.lrange(key('wait'), 0, -1)
  const nowMs = Date.now()
  const pipeline = redis.pipeline()
  for (const id of ids) {
    pipeline.zadd(key('failed'), nowMs, id)
    pipeline.hset(key(id), { failedReason: REASON, finishedOn: nowMs, atm: 1, ats: 1 })
  }
  await pipeline.del(key('wait')).exec()
}

async function listOurs(operations: Operations): Promise<number> {
  let count = 0
  for await (const _ of operations.deadLetters.each({ all: true })) count += 1
  return count
}

const STOCK_PAGE = 100

async function listStock(stock: Queue): Promise<number> {
  let count = 0
  for (;;) {
    const page = await stock.getJobs(['failed'], count, count + STOCK_PAGE - 1)
    count += page.length
    if (page.length < STOCK_PAGE) return count
  }
}

async function replayOurs(operations: Operations): Promise<number> {
  return (await operations.deadLetters.replay({ all: true }, { actor: 'bench' })).replayed
}

async function perSecond(count: number, work: () => Promise<unknown>): Promise<number> {
  const beganAtMs = performance.now()
  const done = await work()
  if (typeof done === 'number' && done !== count) throw new Error(`${done} instead of ${count}`)
  return (count / (performance.now() - beganAtMs)) * 1_000
}

type Pass = { perS: number; heapMiB: number }

/** The most that the heap grew by, looked at again and again: garbage is part of it. */
async function withHeap(count: number, work: () => Promise<number>): Promise<Pass> {
  const before = process.memoryUsage().heapUsed
  let most = before
  const looking = setInterval(() => {
    most = Math.max(most, process.memoryUsage().heapUsed)
  }, 20)
  const perS = await perSecond(count, work).finally(() => clearInterval(looking))
  return { perS, heapMiB: (most - before) / 2 ** 20 }
}

const sorted = (values: readonly number[]) => [...values].sort((one, other) => one - other)
const median = (values: readonly number[]) => sorted(values)[Math.floor(values.length / 2)] ?? 0
const thousands = (value: number) => Math.round(value).toLocaleString('en-US')

function section({ list, replay }: { list: Timing; replay: Timing }, many: number, long: Pass, longReplay: Pass) {
  const row = (name: string, { ours, reference }: Timing) => {
    const ratios = sorted(ours.map((value, round) => value / (reference[round] ?? 1)))
    const [least = 0] = ratios
    const spread = `${least.toFixed(2)}–${(ratios.at(-1) ?? 0).toFixed(2)}`
    return `| ${name} | ${thousands(median(ours))} | ${thousands(median(reference))} | ${median(ratios).toFixed(2)} | ${spread} |`
  }
  return `\`npm run bench -- dead-letters\`, ${new Date().toISOString().slice(0, 10)}, ${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), shared with Redis,
MariaDB and whatever else ran. ${thousands(FEW)} letters of 2 KiB, ${ROUNDS} alternating rounds, medians. The reference, BullMQ's own
\`getJobs\` by pages of ${STOCK_PAGE} and \`retryJobs\`, does less: no filter, no ledger, no cleared attempts, no audit.

| | ours, letters/s | reference, letters/s | ratio | of all rounds |
|---|---|---|---|---|
${row('list', list)}
${row('replay', replay)}

One pass over ${thousands(many)} letters: listed ${thousands(long.perS)} a second while the heap grew by ${long.heapMiB.toFixed(0)} MiB at most, replayed
${thousands(longReplay.perS)} a second (both passes counted) by ${longReplay.heapMiB.toFixed(0)} MiB at most, garbage included.
`
}
