import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { history, openServices, send } from '@clerk-mirror/devstack'
import { connectionConfig, migrate, parseDatabaseUrl } from '@clerk-mirror/mirror'
import { Releasers } from '@clerk-mirror/runtime'
import { Redis } from 'ioredis'
import { createPool } from 'mariadb'
import { writeSection } from './results.js'

/*
 * The whole road, from the signed request to the committed row, without reactions, with the sample that wants to hear of
 * new users, and with a webhook for every change. Ingest and one worker as processes of their own; sender and receiver
 * in this one. Rounds alternate, so that whatever else the machine does falls on all; and the processors' time that the
 * road took for an event is measured beside its speed, for that tells the same on a machine that is busy otherwise.
 */
const ROUNDS = 3
const LANES = 64
const USERS = 1_500
const ROOT = join(import.meta.dirname, '..')
const LOOK_MS = 20

type Measured = { perS: number; cpuMs: number; laterMs: number }
type Subject = { name: string; env: Record<string, string>; rounds: Measured[] }
type Site = { redisUrl: string; adminUrl: string; redis: Redis; dataDir: string }

export async function bench(): Promise<void> {
  await using owned = new Releasers()
  const dataDir = mkdtempSync(join(tmpdir(), 'clerk-mirror-bench-'))
  owned.defer(() => rmSync(dataDir, { recursive: true, force: true }))
  const say = (line: string) => void process.stderr.write(`${line}\n`)
  const services = owned.use(await openServices({ dataDir, say }))
  const redis = new Redis(services.redis.url)
  owned.defer(() => redis.disconnect())
  const site = { redisUrl: services.redis.url, adminUrl: services.database.adminUrl, redis, dataDir }
  const url = await openReceiver(owned)
  const webhook = { CHANGE_WEBHOOK_URLS: url, CHANGE_WEBHOOK_SECRETS: secret(), CHANGE_WEBHOOK_ALLOW_PRIVATE: 'true' }
  const subjects: Subject[] = [
    { name: 'none', env: {}, rounds: [] },
    { name: 'the sample, for each new user', env: { REACTIONS: 'log-new-users' }, rounds: [] },
    { name: 'a webhook for every change', env: webhook, rounds: [] },
  ]
  for (let round = 0; round <= ROUNDS; round += 1) {
    say(round === 0 ? 'warming up' : `round ${round} of ${ROUNDS}`)
    for (const subject of subjects) {
      const measured = await measure(site, subject.env, round)
      if (round > 0) subject.rounds.push(measured)
    }
  }
  writeSection('Reactions', section(subjects))
}

const secret = () => `whsec_${randomBytes(24).toString('base64')}`

async function openReceiver(owned: Releasers): Promise<string> {
  const server = createServer((request, response) => {
    request.resume().once('end', () => response.writeHead(204).end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  owned.defer(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

/**
 * Events a second until the last one is in the ledger, the processors' time of all servers for each of them until then,
 * and how much later the last reaction was done.
 */
async function measure(site: Site, env: Record<string, string>, seed: number): Promise<Measured> {
  await using owned = new Releasers()
  await site.redis.flushall()
  const database = `clerk_mirror_bench_${randomBytes(4).toString('hex')}`
  const databaseUrl = `${site.adminUrl}${database}`
  const options = parseDatabaseUrl(databaseUrl)
  await migrate(options, { folder: join(ROOT, 'prisma/migrations'), log: () => {} })
  const pool = createPool({ ...connectionConfig(options, 'work'), connectionLimit: 1 })
  owned.defer(async () => {
    await pool.query(`DROP DATABASE ${database}`)
    await pool.end()
  })
  const signingSecret = secret()
  const all = { REDIS_URL: site.redisUrl, DATABASE_URL: databaseUrl, CLERK_WEBHOOK_SIGNING_SECRET: signingSecret }
  const ports = { INGEST_PORT: '0', METRICS_PORT: '0', WORKER_PORT: '0' }
  const ingest = await startProgram('ingest', { ...all, ...ports }, 'ingest.listening', owned)
  const worker = await startProgram('worker', { ...all, ...ports, ...env }, 'health.listening', owned)
  const { deliveries, events } = history({ seed, users: USERS })
  const { signal } = new AbortController()
  const cpu = () => cpuMs(site.redis, [ingest.pid, worker.pid, ...pidsOf(site.dataDir)])
  const cpuBeforeMs = await cpu()
  const beganAtMs = performance.now()
  await send(deliveries, {
    ...{ url: `http://127.0.0.1:${ingest.port}/webhooks/clerk`, signingSecret, concurrency: LANES, signal },
    onDelivered: () => {},
  })
  const count = async (sql: string) => Number((await pool.query<{ n: bigint }[]>(sql))[0]?.n)
  while ((await count('SELECT COUNT(*) AS n FROM webhook_events')) < events) await pause(LOOK_MS)
  const appliedAtMs = performance.now()
  const cpuMsUsed = (await cpu()) - cpuBeforeMs
  const left = async () => (await site.redis.keys('{clerk-0}-*:clerk-reactions:x_*')).length
  while ((await count('SELECT COUNT(*) AS n FROM reaction_outbox')) + (await left()) > 0) await pause(LOOK_MS)
  const perS = events / ((appliedAtMs - beganAtMs) / 1_000)
  return { perS, cpuMs: cpuMsUsed / events, laterMs: performance.now() - appliedAtMs }
}

/** Once it listens. */
async function startProgram(app: string, env: Record<string, string>, event: string, owned: Releasers) {
  const script = join(ROOT, `apps/${app}/dist/main.js`)
  const child: ChildProcess = spawn(process.execPath, [script], {
    cwd: tmpdir(),
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  owned.defer(async () => {
    child.kill('SIGTERM')
    await once(child, 'close')
  })
  const port = new Promise<number>((resolve) => {
    let text = ''
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      if (text === 'told') return
      text += chunk
      const line = text.split('\n').find((each) => each.includes(`"${event}"`) && each.endsWith('}'))
      if (!line) return
      text = 'told'
      resolve(Number((JSON.parse(line) as { port: unknown }).port))
    })
  })
  return { port: await port, pid: child.pid ?? 0 }
}

const TICK_MS = 10

/** Of these processes and of Redis, which tells its own; Linux alone counts others'. */
async function cpuMs(redis: Redis, pids: readonly number[]): Promise<number> {
  const info = await redis.info('cpu')
  const seconds = [...info.matchAll(/^used_cpu_(?:sys|user):([\d.]+)/gm)].map(([, value]) => Number(value))
  const ofRedis = seconds.reduce((sum, each) => sum + each, 0) * 1_000
  return pids.reduce((sum, pid) => {
    const [, fields = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')
    const [user, system] = fields.split(' ').slice(11, 13).map(Number)
    return sum + ((user ?? 0) + (system ?? 0)) * TICK_MS
  }, ofRedis)
}

/** The database server, which is known by the folder of its data. */
const pidsOf = (dataDir: string): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && commandOf(name).some((word) => word.includes(`${dataDir}/`)))
    .map(Number)
    .filter((pid) => pid !== process.pid)

function commandOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return [] // it has ended
  }
}

const sorted = (values: readonly number[]) => [...values].sort((one, other) => one - other)
const median = (values: readonly number[]) => sorted(values)[Math.floor(values.length / 2)] ?? 0
const thousands = (value: number) => Math.round(value).toLocaleString('en-US')

function section(subjects: readonly Subject[]): string {
  const [off] = subjects
  const rows = subjects.map(({ name, rounds }) => {
    const ratiosOf = (part: 'perS' | 'cpuMs') =>
      sorted(rounds.map((round, index) => round[part] / (off?.rounds[index]?.[part] ?? 1)))
    const compared = (part: 'perS' | 'cpuMs') => {
      const ratios = ratiosOf(part)
      return `${median(ratios).toFixed(2)} (${(ratios[0] ?? 0).toFixed(2)}–${(ratios.at(-1) ?? 0).toFixed(2)})`
    }
    const of = (part: keyof Measured) => median(rounds.map((round) => round[part]))
    const speed = `${thousands(of('perS'))} | ${compared('perS')}`
    return `| ${name} | ${speed} | ${of('cpuMs').toFixed(2)} | ${compared('cpuMs')} | ${(of('laterMs') / 1_000).toFixed(1)} s |`
  })
  const { length } = history({ seed: 1, users: USERS }).deliveries
  return `\`npm run bench -- reactions\`, ${new Date().toISOString().slice(0, 10)}, ${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), shared by sender,
receiver, ingest, one worker, Redis, MariaDB and whatever else ran. Some ${thousands(length)} signed events of ${USERS} users over
${LANES} connections, from the first request to the last committed row; ${ROUNDS} alternating rounds, medians. The processors'
time is that of ingest, worker, Redis and MariaDB until the last row was committed, reactions that ran by then included.

| reactions | events/s | ÷ without (all rounds) | ms of CPU an event | ÷ without (all rounds) | last reaction done after |
|---|---|---|---|---|---|
${rows.join('\n')}
`
}
