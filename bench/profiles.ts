import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { openServices } from '@clerk-mirror/devstack'
import { connectionConfig, type DatabaseOptions, migrate, parseDatabaseUrl } from '@clerk-mirror/mirror'
import { openLog, Releasers, Secret } from '@clerk-mirror/runtime'
import Fastify from 'fastify'
import { createPool } from 'mariadb'
import { startProfiles } from '../apps/profiles/src/start.js'
import { writeSection } from './results.js'

/*
 * GET /profiles/:username beside a bare Fastify that answers the same bytes, and beside Fastify with one SELECT by the
 * driver, all in this process with the sender. Rounds alternate, so that the machine's other work falls on all.
 */
const ROUNDS = 5
const ROUND_MS = 3_000
const LANES = 32
const PEOPLE = 10_000

type Subject = { name: string; port: number; perS: number[] }

export async function bench(): Promise<void> {
  await using owned = new Releasers()
  const dataDir = mkdtempSync(join(tmpdir(), 'clerk-mirror-bench-'))
  owned.defer(() => rmSync(dataDir, { recursive: true, force: true }))
  const say = (line: string) => void process.stderr.write(`${line}\n`)
  const services = owned.use(await openServices({ dataDir, say, tuning: 'fast-throwaway' }))
  const database = parseDatabaseUrl(`${services.database.adminUrl}clerk_mirror_bench`)
  await migrate(database, { folder: join(import.meta.dirname, '../prisma/migrations'), log: () => {} })
  const subjects = await openSubjects(database, owned)
  for (const { port } of subjects) await measure(port, ROUND_MS)
  for (let round = 1; round <= ROUNDS; round += 1) {
    say(`round ${round} of ${ROUNDS}`)
    for (const { port, perS } of subjects) perS.push(await measure(port, ROUND_MS))
  }
  writeSection('Profiles', section(subjects))
}

async function openSubjects(database: DatabaseOptions, owned: Releasers): Promise<Subject[]> {
  const pool = createPool({ ...connectionConfig(database, 'work'), connectionLimit: 10 })
  owned.defer(() => pool.end())
  await fill(pool)
  const log = openLog({ app: 'bench', level: 'silent' })
  const config = {
    database: new Secret(database),
    host: '127.0.0.1',
    port: 0,
    metricsPort: 0,
    keepAliveMs: 75_000,
    logLevel: 'silent' as const,
  }
  const nobody = { jwtKey: undefined, authorizedParties: undefined, publishableKey: undefined }
  const profiles = owned.use(
    await startProfiles({ ...config, ...nobody }, { log, signal: new AbortController().signal, fail: () => {} }),
  )
  const answer = await (await fetch(`http://127.0.0.1:${profiles.port}/profiles/person1`)).text()
  const bare = await listen(owned, async () => answer)
  const select = await listen(owned, async (username) => {
    const sql = 'SELECT username, display_name, tagline, img_url FROM users WHERE username = ?'
    return JSON.stringify((await pool.query(sql, [username]))[0])
  })
  return [
    { name: 'profiles', port: profiles.port, perS: [] },
    { name: 'bare Fastify', port: bare, perS: [] },
    { name: 'Fastify and one SELECT', port: select, perS: [] },
  ]
}

async function fill(pool: { query: (sql: string, values?: unknown) => Promise<unknown> }): Promise<void> {
  for (let from = 0; from < PEOPLE; from += 1_000) {
    const people = Array.from({ length: 1_000 }, (_, index) => `person${from + index}`)
    const rows = people.map((name) => `('user_${name}', '${name}', 'Some Body', 'hello', NOW(3), NOW(3))`).join(',')
    await pool.query(
      `INSERT INTO users (clerk_id, username, display_name, tagline, created_at, synced_at) VALUES ${rows}`,
    )
  }
  const link = "1, 'https://example.org/me', 'me'"
  await pool.query(`INSERT INTO blocks (user_id, type, url, label) SELECT id, ${link} FROM users`)
}

async function listen(owned: Releasers, respond: (username: string) => Promise<string>): Promise<number> {
  const server = Fastify()
  server.get<{ Params: { username: string } }>('/profiles/:username', async (request, reply) =>
    reply.type('application/json').send(await respond(request.params.username)),
  )
  owned.defer(() => server.close())
  return Number(new URL(await server.listen({ host: '127.0.0.1', port: 0 })).port)
}

/** Requests a second over as many connections as there are lanes; any answer but 200 makes the run invalid. */
async function measure(port: number, forMs: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: LANES })
  const beganAtMs = performance.now()
  let count = 0
  const lane = async () => {
    while (performance.now() - beganAtMs < forMs) {
      count += 1
      const status = await get(agent, port, `/profiles/person${(count * 7919) % PEOPLE}`)
      if (status !== 200) throw new Error(`the run is not valid: a request was answered with ${status}`)
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  agent.destroy()
  return (count / (performance.now() - beganAtMs)) * 1_000
}

const get = (agent: Agent, port: number, path: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const sent = request({ agent, port, path, host: '127.0.0.1' }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode ?? 0))
    })
    sent.once('error', reject).end()
  })

const sorted = (values: readonly number[]) => [...values].sort((one, other) => one - other)
const median = (values: readonly number[]) => sorted(values)[Math.floor(values.length / 2)] ?? 0
const thousands = (value: number) => Math.round(value).toLocaleString('en-US')

function section([ours, ...references]: readonly Subject[]): string {
  const own = ours?.perS ?? []
  const rows = references.map(({ name, perS }) => {
    const ratios = sorted(own.map((value, round) => value / (perS[round] ?? 1)))
    const spread = `${(ratios[0] ?? 0).toFixed(2)}–${(ratios.at(-1) ?? 0).toFixed(2)}`
    return `| ${name} | ${thousands(median(perS))} | ${median(ratios).toFixed(2)} | ${spread} |`
  })
  return `\`npm run bench -- profiles\`, ${new Date().toISOString().slice(0, 10)}, ${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), shared by sender,
servers and MariaDB. \`GET /profiles/:username\` of ${thousands(PEOPLE)} people, ${LANES} connections, ${ROUNDS} alternating rounds of ${ROUND_MS / 1_000} s, medians:
${thousands(median(own))} requests a second. A profile is two reads by Prisma's typed client, its blocks included.

| reference | requests/s | profiles ÷ reference | of all rounds |
|---|---|---|---|
${rows.join('\n')}
`
}
