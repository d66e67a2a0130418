import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { expect, test } from 'vitest'
import { type App, type Environment, Program } from '../support/processes/processes.js'

/** The health check of the image, as Docker reads it: lines that go on are one. */
const dockerfile = readFileSync(new URL('../../Dockerfile', import.meta.url), 'utf8').replaceAll('\\\n', '')
const [, command = '[]'] = /^HEALTHCHECK .*?CMD (\[.*\])$/m.exec(dockerfile) ?? []
const [, ...words]: string[] = JSON.parse(command)

/** The exit code of the check in a container with this environment. */
async function check(env: Environment): Promise<unknown> {
  const child = spawn(process.execPath, words, { env, stdio: 'ignore' })
  return (await once(child, 'exit'))[0]
}

const SECRET = { CLERK_WEBHOOK_SIGNING_SECRET: `whsec_${randomBytes(24).toString('base64')}` }
const NOWHERE = { REDIS_URL: 'redis://127.0.0.1:1', DATABASE_URL: 'mysql://app:secret@127.0.0.1:1/mirror', ...SECRET }
const FREE = { WORKER_PORT: '0', CONSOLE_PORT: '0', PROFILES_PORT: '0', INGEST_PORT: '0', METRICS_PORT: '0' }
/** Where nothing of ours listens. */
const ELSEWHERE = { WORKER_PORT: '1', CONSOLE_PORT: '1', PROFILES_PORT: '1', INGEST_PORT: '1' }

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'))
const hosts = ['127.0.0.1', '0.0.0.0', '127.0.0.2', 'localhost', ...(hasIpv6 ? ['::1', '::'] : [])]

async function start(app: App, env: Environment, listening: string) {
  const program = new Program(app, { env: { ...NOWHERE, ...FREE, ...env } })
  return { program, port: String((await program.says(listening))['port']) }
}

test.each(hosts)('the health check asks a process that listens on %s there', async (HOST) => {
  const { program, port } = await start('profiles', { HOST }, 'profiles.listening')
  await using _ = program
  expect(await check({ ...ELSEWHERE, HOST, PROFILES_PORT: port })).toBe(0)
  expect(await check({ ...ELSEWHERE, HOST })).toBe(1)
})

test('the health check finds the port of ingest where a platform sets PORT, and settings are there without a value', async () => {
  const { program, port } = await start('ingest', {}, 'ingest.listening')
  await using _ = program
  expect(await check({ ...ELSEWHERE, HOST: '', INGEST_PORT: '', PORT: port })).toBe(0)
  program.signal('SIGKILL')
  await program.exited
  expect(await check({ ...ELSEWHERE, HOST: '', INGEST_PORT: '', PORT: port })).toBe(1)
})
