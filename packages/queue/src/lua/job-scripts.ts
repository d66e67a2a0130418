import type { RedisClient } from '../redis/connection.js'
import { CLOSED } from './partition-scripts.js'

/*
 * Moves that BullMQ has no single command for. They write BullMQ's own layout, field by field as its addStandardJob and
 * reprocessJob do; tests/integration/queue/job-layout.test.ts compares them with a stock Queue and fails when a BullMQ
 * release changes those scripts.
 *
 * One field is ours alone: `queuedAt`, the time at which the event last began to wait, in ms of Redis' own clock. A
 * job's timestamp cannot serve, because a dead letter that is replayed after a week keeps it.
 */

/** KEYS of these scripts, in order; the keys of jobs follow. */
export const SCRIPT_KEYS = ['wait', 'meta', 'id', 'active', 'events', 'marker', 'failed'] as const

const SHARED = `
local wait, meta, id, active, events, marker, failed, job = unpack(KEYS)
local function nowMs()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function enqueue(jobIds, previous)
  redis.call('LPUSH', wait, unpack(jobIds))
  local state = redis.call('HMGET', meta, 'paused', 'concurrency', 'opts.maxLenEvents')
  local isFull = state[2] and redis.call('LLEN', active) >= tonumber(state[2])
  if not state[1] and not isFull then redis.call('ZADD', marker, 0, '0') end
  for _, jobId in ipairs(jobIds) do
    local event = {'event', 'waiting', 'jobId', jobId}
    if previous then event[5] = 'prev'; event[6] = previous end
    redis.call('XADD', events, 'MAXLEN', '~', state[3] or ARGV[2], '*', unpack(event))
  end
end
local function revive(jobId)
  -- An event that killed its workers counts as started before: it runs alone from its first start on.
  local isSuspect = string.find(redis.call('HGET', job, 'failedReason') or '', '^killer/')
  redis.call('HDEL', job, 'atm', 'ats', 'stc', 'defa', 'failedReason', 'stacktrace', 'finishedOn', 'processedOn', 'strikes', 'struckBy')
  redis.call('HSET', job, 'queuedAt', nowMs())
  if isSuspect then redis.call('HSET', job, 'ats', 1) end
  enqueue({jobId}, 'failed')
end
`

/**
 * KEYS: the common ones, then those of the jobs. ARGV: options, stream length; then id, name, data and timestamp of
 * each. Adds a job, or revives the dead letter of that id with the new data, or drops it as a duplicate of a live job.
 * With each of these answers, a live job of that id exists when the script returns. Without options it adds no job:
 * `absent`. It adds none to a retired partition either: `closed`, with the token.
 *
 * Many at once, because most of a script's cost is its start. When Redis is full the first write fails, so either
 * none of them is stored or all are.
 */
const ENQUEUE = `${SHARED}
local now = nowMs()
local token = redis.call('HGET', meta, '${CLOSED}')
local refusal = ARGV[1] == '' and 'absent' or token and 'closed ' .. token
local answers, fresh = {}, {}
for at = 3, #ARGV, 4 do
  local jobId, name, data = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  job = KEYS[${SCRIPT_KEYS.length} + (at + 1) / 4]
  local answer = 'duplicate'
  if redis.call('HEXISTS', job, 'data') == 0 then
    answer = refusal or 'added'
    if not refusal then
      redis.call('INCR', id)
      redis.call('HSET', job, 'name', name, 'data', data, 'opts', ARGV[1], 'timestamp', ARGV[at + 3],
        'delay', 0, 'priority', 0, 'queuedAt', now)
      redis.call('XADD', events, '*', 'event', 'added', 'jobId', jobId, 'name', name)
      fresh[#fresh + 1] = jobId
    end
  elseif redis.call('ZREM', failed, jobId) == 1 then
    answer = 'revived'
    redis.call('HSET', job, 'name', name, 'data', data)
    revive(jobId)
  else
    redis.call('XADD', events, 'MAXLEN', '~', ARGV[2], '*', 'event', 'duplicated', 'jobId', jobId)
  end
  answers[#answers + 1] = answer
end
if #fresh > 0 then enqueue(fresh) end
return answers
`

/**
 * ARGV: job id, stream length. Moves a dead letter back as if it had never been tried; 0 when it is not a dead letter
 * (any more).
 */
const REPLAY = `${SHARED}
if redis.call('ZREM', failed, ARGV[1]) == 0 then return 0 end
if redis.call('EXISTS', job) == 0 then return 0 end
revive(ARGV[1])
return 1
`

/**
 * ARGV: an unused value, stream length, prefix of the job keys, ids. The same for many; returns the number of moved
 * ones.
 */
const REPLAY_MANY = `${SHARED}
local moved = 0
for index = 4, #ARGV do
  job = ARGV[3] .. ARGV[index]
  if redis.call('ZREM', failed, ARGV[index]) == 1 and redis.call('EXISTS', job) == 1 then
    revive(ARGV[index])
    moved = moved + 1
  end
end
return moved
`

/**
 * KEYS: the common ones, then the delayed set. ARGV: an unused value, stream length, prefix of the job keys, ids.
 * Queues events that wait for their next try, as BullMQ's promote does; their attempts stay. They wait from now on: the
 * time that was recorded for the age gauge lies in the future. Returns the number of moved ones.
 */
const RETRY_NOW = `${SHARED}
local delayed, moved = job, {}
local now = nowMs()
for index = 4, #ARGV do
  local retried = ARGV[3] .. ARGV[index]
  if redis.call('ZREM', delayed, ARGV[index]) == 1 and redis.call('EXISTS', retried) == 1 then
    redis.call('HSET', retried, 'delay', 0, 'queuedAt', now)
    moved[#moved + 1] = ARGV[index]
  end
end
if #moved > 0 then enqueue(moved, 'delayed') end
return #moved
`

/**
 * KEYS: keys of the queue, of any kind. ARGV: how many bytes, '1' to be given sealed ones too, then texts in lower
 * case. How many keys were looked at, and those that are jobs whose data holds one of the texts, in upper or lower
 * case. Bodies are searched where they lie: to carry a backlog's over the network would take longer than to read it.
 * Sealed ones have to be carried. A body in clear is a text within the data, where its own quotes are escaped: no name
 * in it can pass for the field.
 */
const CONTAINING = `
local found, bytesLeft = {}, tonumber(ARGV[1])
for index, key in ipairs(KEYS) do
  if redis.call('TYPE', key).ok == 'hash' then
    local data = redis.call('HGET', key, 'data')
    local isSealed = data and ARGV[2] == '1' and string.find(data, '"sealed":"', 1, true)
    local isFound = isSealed
    if data and not isSealed then
      local lower = string.lower(data)
      for n = 3, #ARGV do isFound = isFound or string.find(lower, ARGV[n], 1, true) end
    end
    if isFound then found[#found + 1] = key end
    bytesLeft = bytesLeft - #(data or '')
  end
  if bytesLeft <= 0 then return {index, found} end
end
return {#KEYS, found}
`

/** KEYS of the script below, in order; the job's own key and the key of its log follow. */
export const REMOVE_KEYS = ['wait', 'prioritized', 'delayed', 'failed', 'completed', 'active', 'events'] as const

/**
 * ARGV: job id, stream length. Removes a job and returns its previous state by BullMQ's name; a running job stays and
 * gives 'active', an absent one 'unknown'. 'orphan': only the job's own data was left.
 */
const REMOVE = `
local wait, prioritized, delayed, failed, completed, active, events, job, logs = unpack(KEYS)
local jobId = ARGV[1]
if redis.call('EXISTS', job) == 0 then return 'unknown' end
if redis.call('LPOS', active, jobId) then return 'active' end
local state = 'orphan'
if redis.call('ZREM', failed, jobId) == 1 then state = 'failed'
elseif redis.call('ZREM', delayed, jobId) == 1 then state = 'delayed'
elseif redis.call('ZREM', completed, jobId) == 1 then state = 'completed'
elseif redis.call('ZREM', prioritized, jobId) == 1 then state = 'prioritized'
elseif redis.call('LREM', wait, 1, jobId) == 1 then state = 'wait' end
redis.call('DEL', job, logs)
redis.call('XADD', events, 'MAXLEN', '~', ARGV[2], '*', 'event', 'removed', 'jobId', jobId, 'prev', state)
return state
`

/** The result for an event that was enqueued. */
export type EnqueueOutcome = 'added' | 'revived' | 'duplicate'

type Command = (...args: (string | number)[]) => Promise<unknown>
export type JobScripts = {
  /** The number of keys comes first. */
  clerkEnqueue: (...args: (string | number | Buffer)[]) => Promise<string[]>
  clerkReplay: Command
  clerkReplayMany: Command
  clerkRetryNow: Command
  /** The number of keys comes first, then the keys, the number of bytes, the flag and the texts. */
  clerkContaining: (...args: (string | number)[]) => Promise<[number, string[]]>
  clerkRemove: Command
}

/** Adds the scripts to a client; ioredis sends their hash, and their text when the server has forgotten them. */
export function withJobScripts(client: RedisClient): RedisClient & JobScripts {
  const numberOfKeys = SCRIPT_KEYS.length + 1
  client.defineCommand('clerkEnqueue', { lua: ENQUEUE })
  client.defineCommand('clerkReplay', { numberOfKeys, lua: REPLAY })
  client.defineCommand('clerkReplayMany', { numberOfKeys, lua: REPLAY_MANY })
  client.defineCommand('clerkRetryNow', { numberOfKeys, lua: RETRY_NOW })
  client.defineCommand('clerkContaining', { lua: CONTAINING })
  client.defineCommand('clerkRemove', { numberOfKeys: REMOVE_KEYS.length + 2, lua: REMOVE })
  return client as RedisClient & JobScripts
}
