import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { PRESENCE_BEAT_MS, PRESENCE_LEAVE_MS, PRESENCE_MS } from '../limits.js'
import { firstOf, type Partitions } from '../partitions.js'
import { ClockShift } from '../redis/clock-shift.js'
import type { RedisClient } from '../redis/connection.js'

/** A worker that is alive, as it says itself. Time in ms. */
export type WorkerPresence = {
  host: string
  pid: number
  startedAtMs: number
  breaker: 'closed' | 'open' | 'half-open'
  /** Events that it has taken and not finished. */
  held: number
  /** How far its clock is ahead of Redis'; absent until it is known, and from workers of an earlier release. */
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
  /** Of the keys that it opens payloads with. */
  keyIds: readonly string[]
  /** Names of the reactions that it runs. */
  reactions: readonly string[]
  /** Of queue and database; null until it has compared them. */
  installation: string | null
}

/**
 * KEYS: the workers. ARGV: how long a word holds in ms, and of a worker that speaks its id, what it says, '' when it
 * leaves, and how many ms
 * longer its word holds, for a starved worker speaks late. Redis' time, and all that is said of living workers, by that
 * clock, for those of the workers differ.
 */
const PRESENT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[2] and ARGV[3] == '' then redis.call('HDEL', KEYS[1], ARGV[2])
elseif ARGV[2] then
  redis.call('HSET', KEYS[1], ARGV[2], string.format('%.0f %s', now + ARGV[4], ARGV[3]))
  redis.call('PEXPIRE', KEYS[1], math.max(redis.call('PTTL', KEYS[1]), ARGV[1] + ARGV[4]))
end
local words = {string.format('%.0f', now)}
local all = redis.call('HGETALL', KEYS[1])
for index = 1, #all, 2 do
  local saidAt, word = string.match(all[index + 1], '^(%d+) (.*)$')
  if tonumber(saidAt or 0) > now - ARGV[1] then words[#words + 1] = word
  elseif ARGV[2] then redis.call('HDEL', KEYS[1], all[index]) end
end
return words
`

/** KEYS: the workers. ARGV: how long a word holds in ms, ids. Those of them that are alive. */
const ALIVE = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local alive = {}
for index = 2, #ARGV do
  local saidAt = string.match(redis.call('HGET', KEYS[1], ARGV[index]) or '', '^(%d+) ')
  if tonumber(saidAt or 0) > now - ARGV[1] then alive[#alive + 1] = ARGV[index] end
end
return alive
`

type Scripted = {
  clerkPresent: (workers: string, milliseconds: number, ...word: (string | number)[]) => Promise<string[]>
  clerkAlive: (workers: string, milliseconds: number, ...ids: string[]) => Promise<string[]>
}

function withPresence(client: RedisClient): RedisClient & Scripted {
  client.defineCommand('clerkPresent', { numberOfKeys: 1, lua: PRESENT })
  client.defineCommand('clerkAlive', { numberOfKeys: 1, lua: ALIVE })
  return client as RedisClient & Scripted
}

/** The first partition's node keeps them for all: a worker works on every partition. */
const keyOf = (partitions: Partitions) => firstOf(partitions).key('clerk-mirror:workers')

export type Presence = {
  readonly id: string
  /** Those of these workers that are alive, of the same partitions. @throws when Redis does not answer. */
  alive: (ids: readonly string[]) => Promise<string[]>
  /** Says it now, without waiting for the next turn. */
  say: () => void
  /** Says goodbye, if Redis is there to hear it. */
  leave: () => Promise<void>
}

/**
 * Says again and again that this worker is alive; one that says nothing for PRESENCE_MS counts as dead. `lateMs`: so
 * much longer its word holds.
 */
export function announce(
  client: RedisClient,
  partitions: Partitions,
  state: () => Pick<WorkerPresence, 'breaker' | 'held' | 'settings'>,
  lateMs: () => number = () => 0,
): Presence {
  const scripted = withPresence(client)
  const id = randomUUID()
  const self = { host: hostname(), pid: process.pid, startedAtMs: Date.now() }
  const stop = new AbortController()
  const clock = new ClockShift()
  const word = (text: string) =>
    clock
      .measure(
        () => scripted.clerkPresent(keyOf(partitions), PRESENCE_MS, id, text, lateMs()),
        ([redisTime]) => Number(redisTime),
      )
      .catch(() => [])
  const say = async () => {
    const clockShift = clock.ms === undefined ? {} : { clockShiftMs: clock.ms }
    if (!stop.signal.aborted) await word(JSON.stringify({ ...self, ...clockShift, ...state() }))
  }
  const sayAgainAndAgain = async () => {
    while (!stop.signal.aborted) {
      // One at a time: while Redis is away, this waits, and a heap of old words would be sent when it is back.
      await say()
      await pause(PRESENCE_BEAT_MS, undefined, { signal: stop.signal, ref: false }).catch(() => {})
    }
  }
  void sayAgainAndAgain()
  return {
    id,
    alive: (ids) => scripted.clerkAlive(keyOf(partitions), PRESENCE_MS, ...ids),
    say: () => void (client.status === 'ready' && say()),
    async leave() {
      stop.abort()
      if (client.status !== 'ready') return
      await Promise.race([word(''), pause(PRESENCE_LEAVE_MS, undefined, { ref: false })])
    },
  }
}

/** The longest at work first. @throws when Redis does not answer. */
export async function workersAlive(client: RedisClient, partitions: Partitions): Promise<WorkerPresence[]> {
  const [, ...words] = await withPresence(client).clerkPresent(keyOf(partitions), PRESENCE_MS)
  const workers = words.map((word) => JSON.parse(word) as WorkerPresence)
  return workers.sort((one, other) => one.startedAtMs - other.startedAtMs)
}
