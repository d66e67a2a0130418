import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { openServices, removeServices, type Services, stackOwner } from '@clerk-mirror/devstack'
import { Releasers } from '@clerk-mirror/runtime'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { identify } from '../../../packages/devstack/src/services/process-identity.js'
import { folderElsewhere } from '../../../packages/devstack/src/services/server-user.js'
import { fromPrograms } from '../../../packages/devstack/src/services/service-sources.js'
import { prepareSite, servicesFolder } from '../../../packages/devstack/src/services/site.js'
import { connectOnce } from '../../../packages/mirror/src/database/connection.js'
import { parseDatabaseUrl } from '../../../packages/mirror/src/database/database-url.js'
import { PATIENCE_MS } from '../../support/until.js'

const supportFile = (name: string) => fileURLToPath(new URL(`../../support/processes/${name}`, import.meta.url))
const OWNER_PROCESS = supportFile('services-process.mjs')
const CLAIMING_PROCESS = supportFile('claiming-process.mjs')

// With a space and a quote, and longer than the path of a Unix socket may be.
const UNFRIENDLY_NAME = `it's a data folder ${'x'.repeat(100)}`

let root: string
let dataDir: string
let said: string[]
let children: ChildProcess[]
let servers: number[]

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'clerk-mirror-services-'))
  chmodSync(root, 0o755)
  dataDir = join(root, UNFRIENDLY_NAME)
  said = []
  children = []
  servers = []
})

afterEach(async () => {
  for (const child of children) await killed(child)
  await areGone(servers)
  rmSync(root, { recursive: true, force: true, maxRetries: 10 })
})

const open = (options: { redisUrl?: string; databaseUrl?: string; database?: string } = {}): Promise<Services> =>
  openServices({ dataDir, say: (line) => said.push(line), ...options })

async function redisCommand(url: string, command: string, ...args: string[]): Promise<unknown> {
  const redis = new Redis(url, { maxRetriesPerRequest: 0, commandTimeout: 500, retryStrategy: () => null })
  redis.on('error', () => undefined) // the command's own rejection says it
  try {
    return await redis.call(command, ...args)
  } finally {
    redis.disconnect()
  }
}

async function query(adminUrl: string, sql: string): Promise<unknown[]> {
  await using connection = await connectOnce({ ...parseDatabaseUrl(`${adminUrl}none`), database: '' })
  return await connection.query(sql)
}

type Announcement = { redisUrl: string; adminUrl: string; servers: number[]; code?: string }

const pidsOf = ({ redis, database }: Services) => [redis, database].flatMap(({ control }) => control?.pid ?? [])

function spawnNode(file: string, ...args: string[]) {
  const child = spawn(process.execPath, [file, ...args], { detached: true, stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  return child
}

async function announcementOf({ stdout }: { stdout: Readable }) {
  const [line] = await once(createInterface({ input: stdout }), 'line')
  return JSON.parse(line)
}

/** A process of its own that opens the services, or tells why it cannot. */
async function openElsewhere(): Promise<{ owner: ChildProcess; announced: Announcement }> {
  const owner = spawnNode(OWNER_PROCESS, dataDir)
  const announced: Announcement = await announcementOf(owner)
  servers.push(...(announced.servers ?? []))
  return { owner, announced }
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

/** The processes that would end these servers together with their owner. */
const guardsOf = (servers: readonly number[]): number[] =>
  readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => servers.some((server) => commandOf(pid).endsWith(`\0guard\0${server}\0`)))
    .map(Number)

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return '' // ended since it was listed
  }
}

const areGone = (pids: readonly number[]) =>
  vi.waitFor(() => expect(pids.filter((pid) => identify(pid) !== undefined)).toEqual([]), PATIENCE_MS)

describe('private servers', () => {
  test('keep what they acknowledged, and their ports, from one start to the next', async () => {
    const before = await open()
    await redisCommand(before.redis.url, 'SET', 'greeting', 'hello')
    await query(before.database.adminUrl, 'CREATE DATABASE kept')
    const running = pidsOf(before)
    await before[Symbol.asyncDispose]()
    expect(running.filter((pid) => identify(pid) !== undefined)).toEqual([])

    await using after = await open()
    expect(await redisCommand(after.redis.url, 'GET', 'greeting')).toBe('hello')
    expect(await query(after.database.adminUrl, "SHOW DATABASES LIKE 'kept'")).toHaveLength(1)
    expect([after.redis.url, after.database.adminUrl]).toEqual([before.redis.url, before.database.adminUrl])
    expect(said).toEqual([expect.stringContaining('only the first time')])
  })

  test('lose no acknowledged event and evict none', async () => {
    await using services = await open()
    const settings = [
      'appendonly',
      'appendfsync',
      'maxmemory-policy',
      'maxmemory',
      'save',
      'hash-max-listpack-value',
      'bind',
    ]
    const values = await Promise.all(settings.map((name) => redisCommand(services.redis.url, 'CONFIG', 'GET', name)))
    expect(values.map((pair) => Object.values(Object(pair)).at(-1))).toEqual(
      ['yes', 'always', 'noeviction', String(2 * 1024 ** 3), '', '8192', '127.0.0.1'], //
    )
    const [durability] = await query(services.database.adminUrl, 'SELECT @@innodb_flush_log_at_trx_commit AS level')
    expect(Number(Object(durability).level)).toBe(1)
  })

  test('let nobody in without the password, which only their user can read', async () => {
    await using services = await open()
    const [redis, database] = [new URL(services.redis.url), new URL(services.database.adminUrl)]
    redis.password = ''
    await expect(redisCommand(redis.href, 'PING')).rejects.toThrow('NOAUTH')
    for (const [account, password] of [
      ['root', ''],
      ['', ''],
      [database.username, 'guess'],
    ] as const) {
      const url = Object.assign(new URL(database), { username: account || 'anonymous', password })
      await expect(query(url.href, 'SELECT 1')).rejects.toThrow()
    }
    const folder = join(dataDir, 'services')
    // Where servers run as other users, those may traverse the folder, and no user may list it.
    expect(statSync(folder).mode & (isRoot ? 0o066 : 0o077)).toBe(0)
    for (const name of ['password', 'redis.conf', 'account.sql']) {
      expect(statSync(join(folder, name)).mode & 0o077, name).toBe(0)
    }
  })

  test('can be frozen, killed and brought back with what they had acknowledged', async () => {
    await using services = await open()
    const { redis, database } = services
    if (!redis.control || !database.control) throw new Error('this machine has both programs')

    redis.control.pause()
    await expect(redisCommand(redis.url, 'PING')).rejects.toThrow(/timed out/i)
    redis.control.resume()
    await redisCommand(redis.url, 'SET', 'greeting', 'hello')
    await query(database.adminUrl, 'CREATE DATABASE kept')

    await Promise.all([redis.control.kill(), database.control.kill()])
    await expect(redisCommand(redis.url, 'PING')).rejects.toThrow()
    await Promise.all([redis.control.start(), database.control.start()])
    expect(await redisCommand(redis.url, 'GET', 'greeting')).toBe('hello')
    expect(await query(database.adminUrl, "SHOW DATABASES LIKE 'kept'")).toHaveLength(1)

    database.control.pause()
    await database.control.stop() // a frozen server is woken to stop in order
    expect(said).toEqual([expect.stringContaining('only the first time')])
  })
})

const isRoot = process.getuid?.() === 0

const userOf = (pid: number) => Number(/^Uid:\t\d+\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])

describe.skipIf(!isRoot)("private servers of root's", () => {
  test('run as users who own nothing but their files, and take over what ran as root before', async () => {
    const before = await open()
    const running = pidsOf(before).map(userOf)
    expect(running.filter((user) => user === 0)).toEqual([])
    await redisCommand(before.redis.url, 'SET', 'greeting', 'hello')
    await query(before.database.adminUrl, 'CREATE DATABASE kept')
    await before[Symbol.asyncDispose]()
    execFileSync('chown', ['--recursive', '0:0', join(dataDir, 'services')])

    await using after = await open()
    expect(pidsOf(after).map(userOf)).toEqual(running)
    expect(await redisCommand(after.redis.url, 'GET', 'greeting')).toBe('hello')
    expect(await query(after.database.adminUrl, "SHOW DATABASES LIKE 'kept'")).toHaveLength(1)
  })

  test('keep their data elsewhere when no other user gets to the folder, and take those along that were there', async () => {
    const before = await open()
    await redisCommand(before.redis.url, 'SET', 'greeting', 'hello')
    await before[Symbol.asyncDispose]()
    chmodSync(root, 0o700)
    const folder = servicesFolder(dataDir)
    const after = await open()
    const elsewhere = folderElsewhere(folder) ?? ''
    try {
      expect(pidsOf(after).map(userOf)).not.toContain(0)
      expect(await redisCommand(after.redis.url, 'GET', 'greeting')).toBe('hello')
      expect(existsSync(join(folder, 'redis'))).toBe(false)
      await after[Symbol.asyncDispose]()

      // There they stay, also when the way becomes free.
      chmodSync(root, 0o755)
      await using again = await open()
      expect(await redisCommand(again.redis.url, 'GET', 'greeting')).toBe('hello')
      expect(folderElsewhere(folder)).toBe(elsewhere)
    } finally {
      await after[Symbol.asyncDispose]()
      expect(existsSync(elsewhere)).toBe(true)
      await removeServices(dataDir, () => {})
    }
    expect(existsSync(elsewhere)).toBe(false)
  })
})

describe('the account of the processes', () => {
  test('may use its own database and no other, and hands on no right', async () => {
    const before = await open() // once made for tests, with every right
    await query(before.database.adminUrl, 'CREATE DATABASE others')
    await before[Symbol.asyncDispose]()
    await using services = await open({ database: 'clerk_mirror' })
    const ask = (sql: string) => query(services.database.adminUrl, sql)
    await ask('CREATE DATABASE clerk_mirror')
    await ask('CREATE TABLE clerk_mirror.t (a INT)')
    await ask('INSERT INTO clerk_mirror.t VALUES (1)')
    for (const sql of [
      ...['CREATE DATABASE clerkXmirror', 'CREATE TABLE others.t (a INT)', "CREATE USER 'x'@'%'"],
      ...["GRANT SELECT ON clerk_mirror.* TO 'clerk_mirror'@'127.0.0.1'", 'SELECT * FROM mysql.user'],
      ...["SELECT 1 INTO OUTFILE '/tmp/clerk-mirror-out'", 'SET GLOBAL general_log = 1'],
    ]) {
      await expect(ask(sql), sql).rejects.toThrow(/denied/i)
    }
  })

  test('no statement reads or writes a file, whatever its account may do', async () => {
    await using services = await open()
    const out = join(root, 'out')
    await expect(query(services.database.adminUrl, `SELECT 1 INTO OUTFILE '${out}'`)).rejects.toThrow(
      /secure.file.priv/,
    )
    expect(await query(services.database.adminUrl, "SELECT LOAD_FILE('/etc/passwd') AS text")).toEqual([{ text: null }])
    expect(existsSync(out)).toBe(false)
  })
})

describe('the search for a service', () => {
  test('takes a configured server as it is and starts nothing', async () => {
    const databaseUrl = 'mysql://app:secret@db.example.com:3307/clerk?sslaccept=strict'
    await using services = await open({ redisUrl: 'rediss://redis.example.com:6380', databaseUrl })
    expect(services.redis).toEqual({ url: 'rediss://redis.example.com:6380', from: 'environment' })
    expect(services.database).toEqual({ adminUrl: 'mysql://app:secret@db.example.com:3307/', from: 'environment' })
    expect(existsSync(dataDir)).toBe(false)
  })

  test('tells in one line why a program did not start, and goes on elsewhere', async () => {
    const folder = servicesFolder(dataDir)
    mkdirSync(join(folder, 'redis'), { recursive: true })
    mkdirSync(join(folder, 'mariadb'))
    mkdirSync(join(folder, 'mysql'))
    writeFileSync(join(folder, 'redis', 'appendonlydir'), 'a file where Redis expects a folder')
    await using owned = new Releasers()
    const site = await prepareSite(folder, (line) => said.push(line))
    expect(
      await fromPrograms({ site, tuning: 'fast-throwaway', access: 'administrator', owned }, ['redis', 'database']),
    ).toEqual({})
    expect(said.toSorted()).toEqual([
      expect.stringMatching(/^(MariaDB|MySQL) did not start: .*\.log\)$/),
      expect.stringMatching(/^Redis did not start: .*redis\.log\)$/),
    ])
  })
})

describe('a data folder', () => {
  test('is refused to a second stack while the first runs, which goes on undisturbed', async () => {
    await using services = await open()
    const { announced } = await openElsewhere()
    expect(announced.code).toBe('stack_running')
    expect(stackOwner(dataDir)).toBe(process.pid)
    expect(await redisCommand(services.redis.url, 'PING')).toBe('PONG')
    await query(services.database.adminUrl, 'SELECT 1')
  })

  test('goes to exactly one of several that find it abandoned at the same moment', async () => {
    const folders = Array.from({ length: 100 }, (_, index) => join(root, String(index)))
    for (const folder of folders) {
      mkdirSync(folder)
      writeFileSync(join(folder, 'owner-3.json'), JSON.stringify({ pid: 1, born: 'long ago' }))
    }
    const startMs = String(Date.now() + 1_000) // all rivals have started by then
    const won = await Promise.all([1, 2, 3].map(() => announcementOf(spawnNode(CLAIMING_PROCESS, startMs, ...folders))))
    const winnersOf = (index: number) => won.filter((indexes) => indexes.includes(index)).length
    expect(folders.map((_, index) => winnersOf(index))).toEqual(folders.map(() => 1))
  })

  test('is given up when its owner is told to stop; Ctrl-C alone reaches no server', async () => {
    const { owner, announced } = await openElsewhere()
    // A terminal signals a process group; each server leads one of its own.
    for (const server of announced.servers) expect(() => process.kill(-server, 0)).not.toThrow()
    owner.kill('SIGTERM')
    expect(await once(owner, 'exit')).toEqual([0, null])
    await areGone(announced.servers)
    expect(stackOwner(dataDir)).toBeUndefined()
  })

  test('outlives its owner, but its servers do not', async () => {
    const { owner, announced } = await openElsewhere()
    await redisCommand(announced.redisUrl, 'SET', 'greeting', 'hello')
    await killed(owner)
    await areGone(announced.servers)

    await using services = await open()
    expect(await redisCommand(services.redis.url, 'GET', 'greeting')).toBe('hello')
  })

  test.runIf(process.platform === 'linux')(
    'is never written to by two servers: one that was left frozen by a killed owner is ended first',
    async () => {
      const { owner, announced } = await openElsewhere()
      await redisCommand(announced.redisUrl, 'SET', 'greeting', 'hello')
      // The record of running processes, as it was when all were killed at once before any clean-up.
      const records = ['redis.process.json', 'database.process.json'].map((name) => join(dataDir, 'services', name))
      const [redis] = announced.servers
      for (const pid of guardsOf(announced.servers)) process.kill(pid, 'SIGKILL')
      if (redis !== undefined) process.kill(redis, 'SIGSTOP')
      await killed(owner)
      expect(announced.servers.filter((pid) => identify(pid) === undefined)).toEqual([])
      expect(records.map((path) => statSync(path).isFile())).toEqual([true, true])

      await using services = await open()
      await areGone(announced.servers)
      expect(said).toEqual([expect.stringContaining('left behind'), expect.stringContaining('left behind')])
      expect(await redisCommand(services.redis.url, 'GET', 'greeting')).toBe('hello')
      expect(services.redis.url).toBe(announced.redisUrl)
    },
  )
})
