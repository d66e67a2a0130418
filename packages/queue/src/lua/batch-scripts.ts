import { STALLED_LOOK } from '../limits.js'
import type { RedisClient } from '../redis/connection.js'

/*
 * Finishes many events and starts as many others in one script, as BullMQ's moveToFinished does for a completed job
 * that is not kept, and its moveToActive for a waiting job. Every unusual state, such as a paused queue, a due retry or
 * a rate limit, is left to BullMQ's own scripts: then this script fetches nothing, and the worker asks again.
 * tests/integration/queue/job-layout.test.ts notices when BullMQ changes those scripts.
 */

/** KEYS of the scripts, in order. */
export const BATCH_KEYS = ['wait', 'active', 'prioritized', 'events', 'stalled', 'delayed', 'meta', 'marker'] as const

/** ARGV of both begin with the prefix of the job keys, the time and the lease in ms, and the length of the stream. */
const SHARED = `
local wait, active, prioritized, events, stalled, delayed, meta, marker = unpack(KEYS)
local prefix, now, lease = ARGV[1], ARGV[2], ARGV[3]
local state = redis.call('HMGET', meta, 'opts.maxLenEvents', 'paused', 'concurrency', 'max')
local isDue = #redis.call('ZRANGEBYSCORE', delayed, 0, (now + 1) * 0x1000 - 1, 'LIMIT', 0, 1) > 0
local isOrdinary = not (state[2] or state[3] or state[4] or isDue)

local function start(token)
  local id = isOrdinary and redis.call('RPOPLPUSH', wait, active)
  if not id then return nil end
  local job = prefix .. id
  redis.call('SET', job .. ':lock', token, 'PX', lease)
  redis.call('XADD', events, '*', 'event', 'active', 'jobId', id, 'prev', 'waiting')
  redis.call('HSET', job, 'processedOn', now)
  redis.call('HINCRBY', job, 'ats', 1)
  return {redis.call('HGETALL', job), id, 0, 0}
end
local function nothing()
  return {0, 0, 0, (redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2] or 0) / 0x1000}
end
`

/**
 * Then for each event: id, lock token, and '1' to start another. An event whose lease expired is finished like any
 * other unless another worker has started it; that worker keeps it. Returns one answer for each event, in the form of
 * BullMQ's script: a code below 0 when the event is in none of the lists; 0; or the started job: its fields, its id, 0
 * and 0; or, when none was started, 0, 0, 0 and the due time of the next retry.
 */
const FINISH = `${SHARED}
redis.call('XTRIM', events, 'MAXLEN', '~', state[1] or ARGV[4])

local function isPutBack(id)
  for _, each in ipairs(redis.call('LRANGE', wait, -${STALLED_LOOK}, -1)) do
    if each == id then return true end
  end
  return false
end
local function finish(id, token)
  local job = prefix .. id
  local lock = job .. ':lock'
  if redis.call('EXISTS', job) == 0 then return 0 end
  local owner = redis.call('GET', lock)
  if owner and owner ~= token then return 0 end
  redis.call('SREM', stalled, id)
  if redis.call('LREM', active, -1, id) == 0 then
    if owner then
      redis.call('DEL', lock)
      return -3
    end
    if not isPutBack(id) then return 0 end
    redis.call('LREM', wait, -1, id)
  end
  redis.call('DEL', lock, job, job .. ':logs', job .. ':dependencies', job .. ':processed', job .. ':failed', job .. ':unsuccessful')
  redis.call('XADD', events, '*', 'event', 'completed', 'jobId', id, 'returnvalue', 'null', 'prev', 'active')
  return 0
end

local answers, wanting = {}, {}
for at = 5, #ARGV, 3 do
  local answer = finish(ARGV[at], ARGV[at + 1])
  answers[#answers + 1] = answer
  if answer == 0 and ARGV[at + 2] == '1' then wanting[#wanting + 1] = {#answers, ARGV[at + 1]} end
end
local isStarted, none = false, nil
for _, want in ipairs(wanting) do
  local started = not none and start(want[2])
  if started then isStarted = true else none = none or nothing() end
  answers[want[1]] = started or none
end
if (isStarted or isDue) and not state[2] then redis.call('ZADD', marker, 0, '0') end
if redis.call('LLEN', wait) + redis.call('LLEN', active) + redis.call('ZCARD', prioritized) == 0 then
  redis.call('XADD', events, '*', 'event', 'drained')
end
return answers
`

/**
 * Then the number to start, the prefix of their lock tokens, and the number that the first token ends in; the following
 * tokens count up. Returns one answer for each started job, as above; when fewer were started, one more that nothing
 * waits; and no answer when BullMQ's own script must decide.
 */
const START = `${SHARED}
local answers = {}
if not isOrdinary then return answers end
for number = ARGV[7], ARGV[7] + ARGV[5] - 1 do
  local started = start(ARGV[6] .. string.format('%.0f', number))
  if not started then break end
  answers[#answers + 1] = started
end
if #answers > 0 then redis.call('ZADD', marker, 0, '0') end
if #answers < tonumber(ARGV[5]) and redis.call('ZCARD', prioritized) == 0 then answers[#answers + 1] = nothing() end
return answers
`

type Command = (...args: (string | number)[]) => Promise<unknown[]>
export type BatchScripts = { clerkFinish: Command; clerkStart: Command }

export function withBatchScripts<T extends RedisClient>(client: T): T & BatchScripts {
  const numberOfKeys = BATCH_KEYS.length
  client.defineCommand('clerkFinish', { numberOfKeys, lua: FINISH })
  client.defineCommand('clerkStart', { numberOfKeys, lua: START })
  return client as T & BatchScripts
}
