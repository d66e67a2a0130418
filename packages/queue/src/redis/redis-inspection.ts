import { Cluster } from 'ioredis'
import { PROBE_TTL_MS } from '../limits.js'
import type { Partitions } from '../partitions.js'
import type { RedisClient } from './connection.js'

/** The settings of a Redis that a producer must know before it trusts it with events. `null`: the server hides it. */
export type RedisInspection = {
  evicts: boolean | null
  /**
   * Without a `maxmemory` ingest cannot refuse events in time: the machine runs out of memory, and its kernel kills
   * Redis.
   */
  isBounded: boolean | null
  /** `no` and everything weaker than `always` can lose events that were answered with 202. */
  appendonly: boolean | null
  appendfsync: string | null
}

/**
 * Writes a key to each partition and reads the settings that decide whether Redis keeps acknowledged writes, of a
 * cluster the worst of all masters. @throws when one of them does not answer.
 */
export async function inspectRedis(client: RedisClient, partitions: Partitions): Promise<RedisInspection> {
  const writes = [...partitions].map(({ key }) => client.set(key('clerk-mirror:probe'), '1', 'PX', PROBE_TTL_MS))
  const nodes = client instanceof Cluster ? client.nodes('master') : [client]
  const [inspections] = await Promise.all([Promise.all(nodes.map(inspectNode)), ...writes])
  return inspections.reduce((one, other) => ({
    evicts: worse(one.evicts, other.evicts, true),
    isBounded: worse(one.isBounded, other.isBounded, false),
    appendonly: worse(one.appendonly, other.appendonly, false),
    appendfsync: one.appendfsync === 'always' ? other.appendfsync : one.appendfsync,
  }))
}

/** The worse of two nodes: the bad answer, then none. */
const worse = (one: boolean | null, other: boolean | null, bad: boolean) =>
  [one, other].includes(bad) ? bad : [one, other].includes(null) ? null : !bad

async function inspectNode(node: RedisClient): Promise<RedisInspection> {
  // INFO rather than CONFIG where possible: an account that may read the configuration may read passwords in it.
  const [info, appendfsync] = await Promise.all([node.info(), setting(node, 'appendfsync')])
  const infoField = (name: string) => new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1] ?? null
  const [policy, maxmemory, appendonly] = [
    infoField('maxmemory_policy'),
    infoField('maxmemory'),
    infoField('aof_enabled'),
  ]
  return {
    evicts: policy === null ? null : policy !== 'noeviction',
    isBounded: maxmemory === null ? null : maxmemory !== '0',
    appendonly: appendonly === null ? null : appendonly === '1',
    appendfsync,
  }
}

/** Hosted Redis often forbids CONFIG, as an account of few rights should be: then it is unknown. */
async function setting(client: RedisClient, name: string): Promise<string | null> {
  try {
    const answer = (await client.call('CONFIG', 'GET', name)) as unknown
    const values = Array.isArray(answer) ? answer : Object.values((answer ?? {}) as object)
    return typeof values.at(-1) === 'string' ? (values.at(-1) as string) : null
  } catch (error) {
    if (error instanceof Error && /NOPERM|unknown command|not allowed/i.test(error.message)) return null
    throw error
  }
}
