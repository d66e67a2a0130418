import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { cpus, loadavg, totalmem } from 'node:os'
import type { Stage } from './stage.js'

/** The machine, the versions and the date: without them a number says nothing. */
export type Machine = {
  cpu: string
  memoryGiB: number
  date: string
  commit: string
  node: string
  versions: Readonly<Record<string, string>>
  /** The servers' own settings of durability. */
  durability: Readonly<Record<string, string>>
  /** Processes that wanted a core in the minute before, on average. */
  loadBefore: number
}

export async function machineOf(stage: Stage | null, loadBefore: number): Promise<Machine> {
  const [core] = cpus()
  return {
    cpu: `${cpus().length} × ${core?.model ?? 'unknown'}`,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    commit: commit(),
    node: process.version.slice(1),
    versions: { ...(stage ? await serverVersions(stage) : {}), ...packageVersions() },
    durability: stage ? await durability(stage) : {},
    loadBefore,
  }
}

export const loadNow = (): number => loadavg()[0] ?? 0

const said = (of: Readonly<Record<string, string>>) =>
  Object.entries(of)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')

export function machineLine({ cpu, memoryGiB, date, commit, node, versions, durability, loadBefore }: Machine): string {
  const settings = Object.keys(durability).length > 0 ? `. As the servers say: ${said(durability)}` : ''
  return (
    `*${date} UTC, commit ${commit}, ${cpu}, ${memoryGiB} GiB, load before ${loadBefore.toFixed(2)}. ` +
    `Node ${node}, ${said(versions)}${settings}.*`
  )
}

function commit(): string {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).trim()
  try {
    const isChanged = git('status', '--porcelain', '--untracked-files=no', '--', '../apps', '../packages') !== ''
    return `${git('rev-parse', '--short', 'HEAD')}${isChanged ? ' with changes' : ''}`
  } catch {
    return 'unknown'
  }
}

function packageVersions(): Record<string, string> {
  const require = createRequire(import.meta.url)
  const versionOf = (name: string): string => require(`${name}/package.json`).version
  const names = ['bullmq', 'fastify', '@prisma/client', 'mariadb', 'svix']
  return Object.fromEntries(names.map((name) => [name, versionOf(name)]))
}

async function serverVersions({ redis, database }: Stage): Promise<Record<string, string>> {
  const version = /redis_version:(\S+)/.exec(await redis.info('server'))?.[1] ?? 'unknown'
  const [row] = await database.query<{ v: string }[]>('SELECT VERSION() AS v')
  return { Redis: version, MariaDB: row?.v.split('-')[0] ?? 'unknown' }
}

async function durability({ redis, database }: Stage): Promise<Record<string, string>> {
  const settings: Record<string, string> = {}
  for (const name of ['appendonly', 'appendfsync']) {
    const answer = await redis.config('GET', name)
    settings[name] = String(Array.isArray(answer) ? answer[1] : Object.values(answer as object)[0])
  }
  const names = ['innodb_flush_log_at_trx_commit', 'sync_binlog', 'innodb_doublewrite', 'innodb_buffer_pool_size']
  for (const name of names) {
    const [row] = await database.query<{ Value: string }[]>('SHOW VARIABLES LIKE ?', [name])
    if (row) settings[name] = row.Value
  }
  return settings
}
