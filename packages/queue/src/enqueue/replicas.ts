import { setTimeout as pause } from 'node:timers/promises'
import { Cluster, type Redis } from 'ioredis'
import { DISKS_MS, PROMPT_COMMAND_MS, REPLICAS_MS, SLOT_RETRY_MS } from '../limits.js'
import type { RedisClient } from '../redis/connection.js'
import { errorWord } from '../redis/error-word.js'

/** The write is on the master but on fewer replicas than required: it may be lost with the master. */
export class NotReplicated extends Error {
  override readonly name = 'NotReplicated'
}

/**
 * Writes to the node that has the key, and resolves when the write counts. `tag` holds the braces that decide the slot
 * of the key; `write` sends its commands before it returns.
 */
export type Write<C> = <T>(tag: string, write: (client: C) => Promise<T>) => Promise<T>

/**
 * A writer whose writes count once that many replicas have them; with 0, once the master has them. `prepare` adds
 * scripts to a client.
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
    // In this order, and in one turn: ASKING covers the next command, WAIT the writes before it.
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
        // Another node may have the partition by now; only some errors prove that nothing was written.
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

/** Errors of a cluster that moves slots: the node did not run the command, and it or another node will. */
const REDIRECTIONS: ReadonlySet<string> = new Set(['MOVED', 'ASK', 'TRYAGAIN', 'CLUSTERDOWN'])

/** A single server has every key, and redirects no command. */
const serverOf = (server: Redis) => ({ has: async () => server, at: () => undefined, refresh: async () => {} })

/**
 * A cluster client picks the connection itself; WAIT must use the very connection of the write, so the node is chosen
 * here.
 */
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
 * Resolves when the replicas have the writes. One question at a time serves all writers of this connection, because it
 * holds up later writes: it is asked at the end of the event loop's turn, and the next one after its answer.
 */
function acknowledgements(connection: Redis, replicas: number): () => Promise<void> {
  let generation = 0
  // On another connection Redis would answer for other writes, and another server may have other settings.
  connection.on('close', () => {
    generation += 1
    asksDisks = undefined
  })
  let asksDisks: boolean | undefined
  let running: Promise<unknown> = Promise.resolve()
  let next: { generation: number; answer: Promise<void> } | undefined

  const question = async (requestIn: number) => {
    await new Promise((resolve) => setImmediate(resolve))
    await running
    asksDisks ??= await writesAtOnce(connection)
    next = undefined
    if (requestIn !== generation) throw new NotReplicated('the connection to Redis was lost before a replica answered')
    const answer = ask()
    running = answer.catch(() => {})
    const reached = Math.min(...(await answer))
    if (reached < replicas) throw new NotReplicated(`the event is on ${reached} of ${replicas} replicas`)
  }
  // WAITAOF alone reports the state of the disks at the time of the question; behind WAIT it covers the writes in
  // question.
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

/**
 * With appendfsync always on the master, the same is assumed of its replicas, and their disks are asked where Redis
 * can.
 */
async function writesAtOnce(connection: Redis): Promise<boolean> {
  const answer = await connection.call('CONFIG', 'GET', 'appendfsync').catch(() => null)
  return JSON.stringify(Object.values(Object(answer))).includes('"always"')
}
