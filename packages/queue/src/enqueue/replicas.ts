import { setTimeout as pause } from 'node:timers/promises'
import { Cluster, type Redis } from 'ioredis'
import { DISKS_MS, PROMPT_COMMAND_MS, REPLICAS_MS, SLOT_RETRY_MS } from '../limits.js'
import type { RedisClient } from '../redis/connection.js'
import { errorWord } from './redis-errors.js'

/** What was written is on the master, and not on as many replicas as it should be: it may be lost with the master. */
export class NotReplicated extends Error {
  override readonly name = 'NotReplicated'
}

/**
 * Writes to the node that has the key, and resolves when the write counts. `tag` has the braces that decide where the
 * key lies; `write` sends its commands before it returns.
 */
export type Write<C> = <T>(tag: string, write: (client: C) => Promise<T>) => Promise<T>

/**
 * Writes that count once they are on so many replicas; with 0, once the master has them. `prepare` adds scripts to a
 * client.
 */
export function writerTo<C>(client: RedisClient, replicas: number, prepare: (client: RedisClient) => C): Write<C> {
  if (replicas === 0) {
    const prepared = prepare(client)
    return (_tag, write) => write(prepared)
  }
  const connections = new WeakMap<Redis, { prepared: C; acknowledged: () => Promise<void> }>()
  const nodes = client instanceof Cluster ? nodesOf(client) : serverOf(client)
  const once = async <T>(tag: string, write: (client: C) => Promise<T>, askedNode?: string): Promise<T> => {
    const importing = askedNode === undefined ? undefined : nodes.at(askedNode)
    const node = importing ?? (await nodes.has(tag))
    const known = connections.get(node) ?? { prepared: prepare(node), acknowledged: acknowledgements(node, replicas) }
    connections.set(node, known)
    // In this order, and in one turn: the permission is for the next command, the wait for what was written before it.
    importing?.asking().catch(() => {})
    const [answer] = await Promise.all([write(known.prepared), known.acknowledged()])
    return answer
  }
  return async (tag, write) => {
    const deadlineMs = performance.now() + PROMPT_COMMAND_MS
    for (let asked: string | undefined, attempt = 1; ; attempt += 1) {
      try {
        return await once(tag, write, asked)
      } catch (error) {
        if (error instanceof NotReplicated) throw error
        // Another node may have the partition by now; only some words say that nothing was written.
        const refreshed = nodes.refresh()
        const message = error instanceof Error ? error.message : ''
        if (!REDIRECTIONS.has(errorWord(message)) || performance.now() > deadlineMs) throw error
        asked = /^ASK \d+ (\S+)$/.exec(message)?.[1]
        await refreshed
        const isRedirected = message.startsWith('MOVED') || asked !== undefined
        if (!isRedirected || attempt > 1) await pause(SLOT_RETRY_MS)
      }
    }
  }
}

/** Of a cluster whose slots move: the node did not run the command, and it or another one will. */
const REDIRECTIONS: ReadonlySet<string> = new Set(['MOVED', 'ASK', 'TRYAGAIN', 'CLUSTERDOWN'])

/** One server has everything, and redirects nobody. */
const serverOf = (server: Redis) => ({ has: async () => server, at: () => undefined, refresh: async () => {} })

/** A cluster's client sends where it likes; what is waited for must have gone over a connection that is known. */
function nodesOf(cluster: Cluster) {
  const slots = new Map<string, number>()
  return {
    async has(tag: string): Promise<Redis> {
      const slot = slots.get(tag) ?? (await cluster.cluster('KEYSLOT', tag))
      slots.set(tag, slot)
      const node = at(cluster, cluster.slots[slot]?.[0])
      if (!node) throw new Error('no node of the cluster has this partition')
      return node
    },
    at: (address: string): Redis | undefined => at(cluster, address),
    refresh: () => new Promise<void>((resolve) => cluster.refreshSlotsCache(() => resolve())),
  }
}

const at = (cluster: Cluster, address: string | undefined): Redis | undefined =>
  cluster.nodes('master').find(({ options: { host, port } }) => `${host}:${port}` === address)

/**
 * Whether the replicas have what was written. One question at a time for everybody who has written on this connection, for it holds up what is written after it:
 * asked at the end of the turn of the event loop, and the next one when the last was answered.
 */
function acknowledgements(connection: Redis, replicas: number): () => Promise<void> {
  let generation = 0
  // On another connection Redis would speak of other writes, and another server may have other settings.
  connection.on('close', () => {
    generation += 1
    asksDisks = undefined
  })
  let asksDisks: boolean | undefined
  let running: Promise<unknown> = Promise.resolve()
  let next: { generation: number; answer: Promise<void> } | undefined

  const question = async (askedIn: number) => {
    await new Promise((resolve) => setImmediate(resolve))
    await running
    asksDisks ??= await writesAtOnce(connection)
    next = undefined
    if (askedIn !== generation) throw new NotReplicated('the connection to Redis was lost before a replica answered')
    const answer = ask()
    running = answer.catch(() => {})
    const reached = Math.min(...(await answer))
    if (reached < replicas) throw new NotReplicated(`the event is on ${reached} of ${replicas} replicas`)
  }
  // Asked alone, a replica tells how far its disk was when it was asked; behind WAIT it tells what we want to know.
  const ask = () => Promise.all([connection.wait(replicas, REPLICAS_MS), ...(asksDisks ? [askDisks()] : [])])
  const askDisks = async () => {
    try {
      return Number(Object(await connection.call('WAITAOF', 0, replicas, DISKS_MS))[1])
    } catch (error) {
      if (!(error instanceof Error && /unknown command|NOPERM/i.test(error.message))) throw error
      asksDisks = false
      return replicas
    }
  }
  return () => {
    if (next?.generation !== generation) next = { generation, answer: question(generation) }
    return next.answer
  }
}

/** Where Redis says so, its replicas are taken to be like it, and are asked for their disks, if Redis can do that. */
async function writesAtOnce(connection: Redis): Promise<boolean> {
  const answer = await connection.call('CONFIG', 'GET', 'appendfsync').catch(() => null)
  return JSON.stringify(Object.values(Object(answer))).includes('"always"')
}
