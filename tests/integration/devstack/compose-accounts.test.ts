import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { parseDatabaseUrl } from '@clerk-mirror/mirror'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, inject, test } from 'vitest'
import { parse } from 'yaml'
import { choosePort } from '../../../packages/devstack/src/services/ports.js'
import { findProgram } from '../../../packages/devstack/src/services/programs.js'
import { findRedisServer } from '../../../packages/devstack/src/services/redis-server.js'
import { ServerProcess } from '../../../packages/devstack/src/services/server-process.js'
import { connectOnce } from '../../../packages/mirror/src/database/connection.js'
import { runCli } from '../../support/processes/processes.js'

/*
 * The scripts of ops/compose, as docker-compose.yml runs them, on real servers: only the containers are missing.
 */
const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const PATH = '/usr/local/bin:/usr/bin:/bin'
const run = promisify(execFile)

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'clerk-mirror-compose-'))
  cpSync(join(ROOT, 'ops/compose'), folder, { recursive: true })
})
afterEach(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }))

const readEnv = () =>
  Object.fromEntries(
    [...readFileSync(join(folder, '.env'), 'utf8').matchAll(/^(\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
  )

test('passwords are made up once, for the owner of .env alone, and what stands there stays', async () => {
  writeFileSync(join(folder, '.env'), 'WORKER_PASSWORD=mine\nCLI_PASSWORD=\nLAST=line')
  const make = () => run('sh', [join(folder, 'passwords.sh'), join(folder, '.env')])
  await make()
  const made = readEnv()
  expect(made).toMatchObject({ WORKER_PASSWORD: 'mine', LAST: 'line' })
  const others = ['MYSQL_ROOT', 'MIGRATE', 'INGEST', 'CONSOLE', 'PROFILES', 'CLI'].map(
    (name) => made[`${name}_PASSWORD`],
  )
  for (const password of others) expect(password).toMatch(/^[0-9a-f]{48}$/)
  expect(new Set(others).size).toBe(others.length)
  await make()
  expect(readEnv()).toEqual(made)
  const own = join(folder, 'own.env')
  await run('sh', [join(folder, 'passwords.sh'), own])
  expect(statSync(own).mode & 0o077).toBe(0)
})

const redisServer = await findRedisServer()

test.skipIf(!redisServer?.endsWith('redis-server'))(
  'Redis lets in its accounts and nobody else, to what is theirs',
  async () => {
    const port = await choosePort()
    const names = ['INGEST', 'WORKER', 'CONSOLE', 'CLI']
    const passwords = Object.fromEntries(names.map((name) => [name, randomBytes(24).toString('hex')]))
    const env = Object.fromEntries(names.map((name) => [`${name}_PASSWORD`, passwords[name] ?? '']))
    const arguments_ = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder]
    const { healthcheck } = parse(readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8')).services.redis
    const check = String(healthcheck.test[1]).replaceAll('$$', '$').replace('redis-cli', `redis-cli -p ${port}`)
    const isHealthy = (own = env) =>
      run('sh', ['-c', check], { env: { PATH, ...own } }).then(
        ({ stdout }) => stdout.includes('PONG'),
        () => false,
      )
    const server = await ServerProcess.start({
      title: 'Redis',
      program: 'env',
      args: [
        ...Object.entries({ ...env, QUEUE_NAMESPACE: 'shop', ACL_FILE: join(folder, 'used.acl') }).map((pair) =>
          pair.join('='),
        ),
        ...['sh', join(folder, 'redis.sh'), ...arguments_],
      ],
      logPath: join(folder, 'redis.log'),
      recordPath: join(folder, 'redis.json'),
      isReady: isHealthy,
      say: () => {},
    })
    try {
      expect(await isHealthy({ WORKER_PASSWORD: 'guess' })).toBe(false)
      expect(statSync(join(folder, 'used.acl')).mode & 0o077).toBe(0)
      const ask = async (user: string, password: string, ...[command = '', ...words]: string[]) => {
        const redis = new Redis({ port, username: user, password, retryStrategy: () => null, enableReadyCheck: false })
        redis.on('error', () => {})
        return await redis.call(command, ...words).finally(() => redis.disconnect())
      }
      const [ingest = '', worker = ''] = [passwords['INGEST'], passwords['WORKER']]
      expect(await ask('ingest', ingest, 'SET', '{shop-0}:a', '1')).toBe('OK')
      await expect(ask('ingest', ingest, 'SET', '{clerk-0}:a', '1')).rejects.toThrow('NOPERM')
      await expect(ask('ingest', ingest, 'CONFIG', 'GET', '*')).rejects.toThrow('NOPERM')
      await expect(ask('worker', worker, 'FLUSHALL')).rejects.toThrow('NOPERM')
      await expect(ask('worker', ingest, 'PING')).rejects.toThrow(/NOAUTH|WRONGPASS|closed/i)
      await expect(ask('default', '', 'PING')).rejects.toThrow(/NOAUTH|WRONGPASS|closed/i)
    } finally {
      await server.stop()
    }
  },
)

const client = await findProgram('mysql')

test.skipIf(client === undefined)(
  'MySQL gives each account its rights, again at each start, and follows a changed password',
  { timeout: 600_000 },
  async () => {
    const name = `clerk_mirror_${randomBytes(6).toString('hex')}`
    const url = new URL(inject('databaseUrl'))
    url.pathname = `/${name}`
    const admin = parseDatabaseUrl(url.href)
    const prefix = `test_${randomBytes(4).toString('hex')}`
    const names = ['worker', 'console', 'profiles', 'cli', 'migrate']
    for (const file of ['accounts.sh', 'grants.sql']) {
      const text = readFileSync(join(folder, file), 'utf8')
        .replaceAll(/\bclerk_mirror_(?=(?:migrate|worker|console|profiles|cli)\b)/g, `${prefix}_`)
        .replaceAll(/\bclerk_mirror\b/g, name)
      writeFileSync(join(folder, file), text)
    }
    const accounts = (what: string, env: Record<string, string>) =>
      run('sh', [join(folder, 'accounts.sh'), what], {
        env: {
          PATH,
          ...{ MYSQL_HOST: admin.host, MYSQL_PORT: String(admin.port), MYSQL_ROOT: admin.user },
          MYSQL_ROOT_PASSWORD: admin.password ?? '',
          ...env,
        },
      })
    const passwords = Object.fromEntries(
      names.map((each) => [`${each.toUpperCase()}_PASSWORD`, randomBytes(24).toString('hex')]),
    )
    const as = async (account: string, sql: string) => {
      const password = passwords[`${account.toUpperCase()}_PASSWORD`] ?? ''
      await using connection = await connectOnce({ ...admin, user: `${prefix}_${account}`, password, database: name })
      return await connection.query(sql)
    }
    await using server = await connectOnce({ ...admin, database: '' })
    try {
      const odd = { ...passwords, CLI_PASSWORD: "x' OR 1" }
      await expect(accounts('users', odd)).rejects.toThrow('letters and digits')
      expect(await server.query(`SELECT user FROM mysql.user WHERE user LIKE '${prefix}%'`)).toEqual([])

      await server.query(`CREATE USER ${name} IDENTIFIED BY 'of-earlier-versions'`)
      await accounts('users', passwords)
      expect(await server.query(`SELECT user FROM mysql.user WHERE user = '${name}'`)).toEqual([])
      Object.assign(url, {
        username: `${prefix}_migrate`,
        password: passwords['MIGRATE_PASSWORD'],
        pathname: `/${name}`,
      })
      expect(await runCli('migrate', { DATABASE_URL: url.href })).toMatchObject({ code: 0 })
      await accounts('rights', {})
      expect(await as('worker', 'SELECT email FROM users')).toEqual([])
      await expect(as('profiles', 'SELECT email FROM users')).rejects.toThrow(/denied/)
      await expect(as('console', 'SELECT data FROM clerk_objects')).rejects.toThrow(/denied/)
      await expect(as('worker', 'CREATE TABLE t (a INT)')).rejects.toThrow(/denied/)

      passwords['WORKER_PASSWORD'] = randomBytes(24).toString('hex')
      await accounts('users', passwords)
      await accounts('rights', {})
      expect(await as('worker', 'SELECT email FROM users')).toEqual([])
    } finally {
      await server.query(`DROP USER IF EXISTS ${name}`)
      for (const account of names) await server.query(`DROP USER IF EXISTS ${prefix}_${account}`)
      await server.query(`DROP DATABASE IF EXISTS ${name}`)
    }
  },
)
