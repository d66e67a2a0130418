import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { DEREGISTER_MS, HEARTBEAT_MS, HEARTBEAT_TTL_MS } from '../limits.js'
import { firstOf, type Partitions } from '../partitions.js'
import { ClockShift } from '../redis/clock-shift.js'
import type { RedisClient } from '../redis/connection.js'

/** A living worker, by its own heartbeat. Time in ms. */
export type WorkerPresence = {
  host: string
  pid: number
  startedAtMs: number
  breaker: 'closed' | 'open' | 'half-open'
  /** Events in flight. */
  held: number
  /** How far its clock is ahead of Redis'; absent until it is measured, and from workers of an earlier release. */
  clockShiftMs?: number
  /** Absent from workers of an earlier release. */
  settings?: WorkerSettings
}

/** Settings that should be the same in all workers. Holds no secret. */
export type WorkerSettings = {
  /** Of the release. */
  version: string
  /** MIRROR_KINDS, in one order. */
  kinds: string
  /** Of the keys that it decrypts bodies with. */
  keyIds: readonly string[]
  /** Names of the reactions that it runs. */
  reactions: readonly string[]
  /** Of queue and database; null until it has compared them. */
  installation: string | null
}

/**
 * KEYS: the workers. ARGV: how long a heartbeat is valid in ms; and of a worker that beats its id, its payload, '' when it
 * deregisters, and how many ms longer its heartbeat is valid, for a starved worker beats late. Returns Redis' time and the
 * payloads of living workers by that clock, for those of the workers differ.
 */
const PRESENT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[2] and ARGV[3] == '' then redis.call('HDEL', KEYS[1], ARGV[2])
elseif ARGV[2] then
  redis.call('HSET', KEYS[1], ARGV[2], string.format('%.0f %s', now + ARGV[4], ARGV[3]))
  redis.call('PEXPIRE', KEYS[1], math.max(redis.call('PTTL', KEYS[1]), ARGV[1] + ARGV[4]))
end
local payloads = {string.format('%.0f', now)}
local all = redis.call('HGETALL', KEYS[1])
for index = 1, #all, 2 do
  local beatAt, payload = string.match(all[index + 1], '^(%d+) (.*)$')
  if tonumber(beatAt or 0) > now - ARGV[1] then payloads[#payloads + 1] = payload
  elseif ARGV[2] then redis.call('HDEL', KEYS[1], all[index]) end
end
return payloads
`

/** KEYS: the workers. ARGV: how long a heartbeat is valid in ms, ids. Returns the living ones of them. */
const ALIVE = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local alive = {}
for index = 2, #ARGV do
  local beatAt = string.match(redis.call('HGET', KEYS[1], ARGV[index]) or '', '^(%d+) ')
  if tonumber(beatAt or 0) > now - ARGV[1] then alive[#alive + 1] = ARGV[index] end
end
return alive
`

type Scripted = {
  clerkPresent: (workers: string, milliseconds: number, ...beat: (string | number)[]) => Promise<string[]>
  clerkAlive: (workers: string, milliseconds: number, ...ids: string[]) => Promise<string[]>
}

function withHeartbeatScripts(client: RedisClient): RedisClient & Scripted {
  client.defineCommand('clerkPresent', { numberOfKeys: 1, lua: PRESENT })
  client.defineCommand('clerkAlive', { numberOfKeys: 1, lua: ALIVE })
  return client as RedisClient & Scripted
}

/** On the first partition's node: a worker consumes every partition. */
const keyOf = (partitions: Partitions) => firstOf(partitions).key('clerk-mirror:workers')

export type Heartbeat = {
  readonly id: string
  /** The living ones of these workers, which consume the same partitions. @throws when Redis does not answer. */
  alive: (ids: readonly string[]) => Promise<string[]>
  /** Sends a heartbeat now. */
  beat: () => void
  /** Removes this worker, if Redis is up. */
  deregister: () => Promise<void>
}

/**
 * Publishes that this worker is alive, every HEARTBEAT_MS; a worker without a heartbeat for HEARTBEAT_TTL_MS counts as
 * dead. `lateMs`: milliseconds that its heartbeat is valid for beyond that.
 */
export function startHeartbeat(
  client: RedisClient,
  partitions: Partitions,
  state: () => Pick<WorkerPresence, 'breaker' | 'held' | 'settings'>,
  lateMs: () => number = () => 0,
): Heartbeat {
  const scripted = withHeartbeatScripts(client)
  const id = randomUUID()
  const self = { host: hostname(), pid: process.pid, startedAtMs: Date.now() }
  const stop = new AbortController()
  const clock = new ClockShift()
  const send = (payload: string) =>
    clock
      .measure(
        () => scripted.clerkPresent(keyOf(partitions), HEARTBEAT_TTL_MS, id, payload, lateMs()),
        ([redisTime]) => Number(redisTime),
      )
      .catch(() => [])
  const beat = async () => {
    const clockShift = clock.ms === undefined ? {} : { clockShiftMs: clock.ms }
    if (!stop.signal.aborted) await send(JSON.stringify({ ...self, ...clockShift, ...state() }))
  }
  const loop = async () => {
    while (!stop.signal.aborted) {
      // One at a time: while Redis is down, `beat` waits, and a heap of old payloads would be sent when it is back.
      await beat()
      await pause(HEARTBEAT_MS, undefined, { signal: stop.signal, ref: false }).catch(() => {})
    }
  }
  void loop()
  return {
    id,
    alive: (ids) => scripted.clerkAlive(keyOf(partitions), HEARTBEAT_TTL_MS, ...ids),
    beat: () => void (client.status === 'ready' && beat()),
    async deregister() {
      stop.abort()
      if (client.status !== 'ready') return
      await Promise.race([send(''), pause(DEREGISTER_MS, undefined, { ref: false })])
    },
  }
}

/** In the order of their starts. @throws when Redis does not answer. */
export async function workersAlive(client: RedisClient, partitions: Partitions): Promise<WorkerPresence[]> {
  const [, ...payloads] = await withHeartbeatScripts(client).clerkPresent(keyOf(partitions), HEARTBEAT_TTL_MS)
  const workers = payloads.map((payload) => JSON.parse(payload) as WorkerPresence)
  return workers.sort((one, other) => one.startedAtMs - other.startedAtMs)
}
