import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Releasers } from '@clerk-mirror/runtime'
import type { Redis } from 'ioredis'
import { choosePort } from '../../../packages/devstack/src/services/ports.js'
import { findRedisServer } from '../../../packages/devstack/src/services/redis-server.js'
import { until } from '../until.js'
import { openPrivateRedis, type PrivateRedis } from './private-redis.js'

/** `client` is a plain connection to this one server. */
export type ClusterNode = Omit<PrivateRedis, 'configure'> & { bus: number }

/** Masters that keep acknowledged writes, each with a replica unless `replicas` says otherwise. */
export type RedisCluster = AsyncDisposable & {
  /** As `REDIS_URL` would hold it. */
  url: string
  nodes: readonly ClusterNode[]
  /** The master of a key's slot now. @throws while there is none */
  masterOf: (key: string) => Promise<ClusterNode>
  /** Their replica. @throws while there is none */
  replicaOf: (key: string) => Promise<ClusterNode>
  /** A planned change: the replica takes over, and nothing is lost on the way. */
  failover: (key: string) => Promise<void>
  /** Begins to move the slot of a key to another master: its keys are there and here, until the move is finished. */
  beginMove: (key: string) => Promise<{ from: ClusterNode; moveKeys: () => Promise<void>; finish: () => Promise<void> }>
  /** Brings back every server, and waits until each master has a replica that follows. */
  mend: () => Promise<void>
}

const SLOTS = 16_384
/** Milliseconds until a silent server counts as dead: short, for every test of a killed master waits for it. */
const NODE_TIMEOUT_MS = 1500

type Shape = { masters: number; replicas: number }

export async function openRedisCluster(
  { masters, replicas }: Shape = { masters: 3, replicas: 3 },
): Promise<RedisCluster> {
  await using owned = new Releasers()
  const folder = mkdtempSync(join(tmpdir(), 'clerk-mirror-cluster-'))
  owned.defer(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }))
  const program = await findRedisServer()
  if (program === undefined) throw new Error('there is no Redis server program on this machine')
  const password = randomBytes(12).toString('hex')
  const opening = Array.from({ length: masters + replicas }, () => openNode(program, folder, password, owned))
  const nodes = await Promise.all(opening)
  await form(nodes, masters)
  const cluster: Omit<RedisCluster, keyof AsyncDisposable> = {
    url: `redis://:${password}@${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
    nodes,
    masterOf: (key) => masterOf(nodes, key),
    replicaOf: (key) => replicaOf(nodes, key),
    async failover(key) {
      let replica: ClusterNode | undefined
      // Refused while the replica still joins the master of the failover before.
      await until(async () => {
        replica = await replicaOf(nodes, key)
        return (await replica.client.cluster('FAILOVER')) === 'OK'
      })
      await until(async () => (await masterOf(nodes, key)) === replica)
    },
    beginMove: (key) => beginMove(nodes, key, password),
    async mend() {
      for (const { server } of nodes) {
        await server.start()
        server.resume()
      }
      await until(() => isWhole(nodes, masters), PATIENCE_MS)
    },
  }
  const released = owned.move()
  return Object.assign(cluster, { [Symbol.asyncDispose]: () => released[Symbol.asyncDispose]() })
}

const PATIENCE_MS = 120_000

async function openNode(program: string, folder: string, password: string, owned: Releasers): Promise<ClusterNode> {
  const bus = await choosePort()
  const server = await openPrivateRedis(program, folder, password, owned, {
    ...{ 'cluster-enabled': 'yes', 'cluster-port': bus, 'cluster-node-timeout': NODE_TIMEOUT_MS },
    // One dead master must not keep the others from their work.
    'cluster-require-full-coverage': 'no',
  })
  return { ...server, bus }
}

async function form(nodes: readonly ClusterNode[], masters: number): Promise<void> {
  for (const [index, { client }] of nodes.slice(0, masters).entries()) {
    const [from, to] = [Math.ceil((index * SLOTS) / masters), Math.ceil(((index + 1) * SLOTS) / masters) - 1]
    await client.call('CLUSTER', 'ADDSLOTSRANGE', from, to)
  }
  for (const [index, { client }] of nodes.entries()) await client.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1)
  for (const { client } of nodes) {
    // Each meets each: until gossip has introduced everybody, seconds pass.
    for (const other of nodes) await client.call('CLUSTER', 'MEET', '127.0.0.1', other.port, other.bus)
  }
  for (const [index, { client }] of nodes.slice(masters).entries()) {
    const master = String(await nodes[index]?.client.cluster('MYID'))
    await until(() => client.cluster('REPLICATE', master).then(() => true), PATIENCE_MS)
  }
  await until(() => isWhole(nodes, masters), PATIENCE_MS)
}

/** Every server knows the master of each slot, and each replica follows its master. */
async function isWhole(nodes: readonly ClusterNode[], masters: number): Promise<boolean> {
  const following = nodes.length > masters ? /connected_slaves:1/ : /connected_slaves:0/
  const views = nodes.map(async ({ client }) => {
    const [replication, ranges] = await Promise.all([client.info('replication'), client.cluster('SLOTS')])
    const follows = /role:slave/.test(replication) ? /master_link_status:up/ : following
    return follows.test(replication) && ranges.reduce((sum, [from, to]) => sum + to - from + 1, 0) === SLOTS
  })
  return (await Promise.all(views)).every(Boolean)
}

/** As the majority of the answering servers sees it: a dead master's view does not count. */
async function masterOf(nodes: readonly ClusterNode[], key: string): Promise<ClusterNode> {
  const votes = new Map<number, number>()
  for (const port of await Promise.all(nodes.map(({ client }) => masterSeenBy(client, key).catch(() => 0)))) {
    votes.set(port, (votes.get(port) ?? 0) + 1)
  }
  votes.delete(0)
  const [best] = [...votes].sort(([, one], [, other]) => other - one)
  return nodes.find(({ port }) => port === best?.[0]) ?? nobody(key)
}

async function masterSeenBy(client: Redis, key: string): Promise<number> {
  const slot = await client.cluster('KEYSLOT', key)
  const range = (await client.cluster('SLOTS')).find(([from, to]) => from <= slot && slot <= to)
  return range?.[2]?.[1] ?? 0
}

/** As the replica sees it: gossip takes ten seconds until everybody else does. */
async function replicaOf(nodes: readonly ClusterNode[], key: string): Promise<ClusterNode> {
  const { port } = await masterOf(nodes, key)
  for (const node of nodes) {
    const replication = await node.client.info('replication').catch(() => '')
    if (/role:slave/.test(replication) && replication.includes(`master_port:${port}\r`)) return node
  }
  return nobody(key)
}

async function beginMove(nodes: readonly ClusterNode[], key: string, password: string) {
  const from = await masterOf(nodes, key)
  const slot = await from.client.cluster('KEYSLOT', key)
  const roles = await Promise.all(nodes.map(async ({ client }) => /role:master/.test(await client.info('replication'))))
  const to = nodes.find((node, index) => roles[index] && node !== from) ?? nobody(key)
  const [fromId, toId] = await Promise.all([from, to].map(({ client }) => client.cluster('MYID')))
  await to.client.cluster('SETSLOT', slot, 'IMPORTING', String(fromId))
  await from.client.cluster('SETSLOT', slot, 'MIGRATING', String(toId))
  const move = async (keys: readonly string[]) => {
    if (keys.length === 0) return
    await from.client.call('MIGRATE', '127.0.0.1', to.port, '', 0, 5_000, 'AUTH', password, 'KEYS', ...keys)
  }
  const [first] = (await from.client.call('CLUSTER', 'GETKEYSINSLOT', slot, 1)) as string[]
  await move(first === undefined ? [] : [first])
  const moveKeys = async () => {
    // Keys that a client writes meanwhile are moved too.
    for (;;) {
      const keys = (await from.client.call('CLUSTER', 'GETKEYSINSLOT', slot, 100)) as string[]
      if (keys.length === 0) return
      await move(keys)
    }
  }
  return {
    from,
    moveKeys,
    async finish() {
      await moveKeys()
      for (const { client } of [to, from]) await client.cluster('SETSLOT', slot, 'NODE', String(toId))
    },
  }
}

function nobody(key: string): never {
  throw new Error(`nobody has ${key}`)
}
