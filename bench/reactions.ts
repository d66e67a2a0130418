import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
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
 * in this one. Rounds alternate, so that whatever else the machine does falls on all.
 */
const ROUNDS = 5
const LANES = 64
const USERS = 900
const ROOT = join(import.meta.dirname, '..')
const LOOK_MS = 20

type Subject = { name: string; env: Record<string, string>; perS: number[]; caughtUpMs: number[] }
type Site = { redisUrl: string; adminUrl: string; redis: Redis }

export async function bench(): Promise<void> {
  await using owned = new Releasers()
  const dataDir = mkdtempSync(join(tmpdir(), 'clerk-mirror-bench-'))
  owned.defer(() => rmSync(dataDir, { recursive: true, force: true }))
  const say = (line: string) => void process.stderr.write(`${line}\n`)
  const services = owned.use(await openServices({ dataDir, say }))
  const redis = new Redis(services.redis.url)
  owned.defer(() => redis.disconnect())
  const site = { redisUrl: services.redis.url, adminUrl: services.database.adminUrl, redis }
  const url = await openReceiver(owned)
  const webhook = { CHANGE_WEBHOOK_URLS: url, CHANGE_WEBHOOK_SECRETS: secret(), CHANGE_WEBHOOK_ALLOW_PRIVATE: 'true' }
  const subjects: Subject[] = [
    { name: 'none', env: {}, perS: [], caughtUpMs: [] },
    { name: 'the sample, for each new user', env: { REACTIONS: 'log-new-users' }, perS: [], caughtUpMs: [] },
    { name: 'a webhook for every change', env: webhook, perS: [], caughtUpMs: [] },
  ]
  for (let round = 0; round <= ROUNDS; round += 1) {
    say(round === 0 ? 'warming up' : `round ${round} of ${ROUNDS}`)
    for (const subject of subjects) {
      const { perS, caughtUpMs } = await measure(site, subject.env, round)
      if (round === 0) continue
      subject.perS.push(perS)
      subject.caughtUpMs.push(caughtUpMs)
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

/** Events a second until the last one is in the ledger, and how much later the last reaction was done. */
async function measure(site: Site, env: Record<string, string>, seed: number) {
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
  await startProgram('worker', { ...all, ...ports, ...env }, 'health.listening', owned)
  const { deliveries, events } = history({ seed, users: USERS })
  const { signal } = new AbortController()
  const beganAtMs = performance.now()
  await send(deliveries, {
    ...{ url: `http://127.0.0.1:${ingest}/webhooks/clerk`, signingSecret, concurrency: LANES, signal },
    onDelivered: () => {},
  })
  const count = async (sql: string) => Number((await pool.query<{ n: bigint }[]>(sql))[0]?.n)
  while ((await count('SELECT COUNT(*) AS n FROM webhook_events')) < events) await pause(LOOK_MS)
  const appliedAtMs = performance.now()
  const left = async () => (await site.redis.keys('{clerk-0}-*:clerk-reactions:x_*')).length
  while ((await count('SELECT COUNT(*) AS n FROM reaction_outbox')) + (await left()) > 0) await pause(LOOK_MS)
  return { perS: events / ((appliedAtMs - beganAtMs) / 1_000), caughtUpMs: performance.now() - appliedAtMs }
}

/** The port that it listens on, once it does. */
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
  return port
}

const sorted = (values: readonly number[]) => [...values].sort((one, other) => one - other)
const median = (values: readonly number[]) => sorted(values)[Math.floor(values.length / 2)] ?? 0
const thousands = (value: number) => Math.round(value).toLocaleString('en-US')

function section(subjects: readonly Subject[]): string {
  const [off] = subjects
  const rows = subjects.map(({ name, perS, caughtUpMs }) => {
    const ratios = sorted(perS.map((value, round) => value / (off?.perS[round] ?? 1)))
    const spread = `${(ratios[0] ?? 0).toFixed(2)}–${(ratios.at(-1) ?? 0).toFixed(2)}`
    const later = `${(median(caughtUpMs) / 1_000).toFixed(1)} s`
    return `| ${name} | ${thousands(median(perS))} | ${median(ratios).toFixed(2)} | ${spread} | ${later} |`
  })
  const { length } = history({ seed: 1, users: USERS }).deliveries
  return `\`npm run bench -- reactions\`, ${new Date().toISOString().slice(0, 10)}, ${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), shared by sender,
receiver, ingest, one worker, Redis, MariaDB and whatever else ran. Some ${thousands(length)} signed events of ${USERS} users over
${LANES} connections, from the first request to the last committed row; ${ROUNDS} alternating rounds, medians.

| reactions | events/s | ÷ without | of all rounds | last reaction done after |
|---|---|---|---|---|
${rows.join('\n')}
`
}
