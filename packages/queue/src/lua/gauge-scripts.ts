import type { RedisClient } from '../redis/connection.js'

/**
 * KEYS: wait, active, delayed, failed. ARGV: prefix of the jobs' keys, how many to look at from each end of a list.
 * Four counts, and the age in ms of the oldest event that waits or runs, 0 when there is none. Nothing is walked
 * through: both lists are in the order of queueing except for released events, which stand at their ends.
 */
const READ = `
local wait, active, delayed, failed = unpack(KEYS)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local oldest = now
local function look(list, from, to)
  for _, id in ipairs(redis.call('LRANGE', list, from, to)) do
    local since = redis.call('HMGET', ARGV[1] .. id, 'queuedAt', 'timestamp')
    oldest = math.min(oldest, tonumber(since[1] or since[2]) or now)
  end
end
for _, list in ipairs({wait, active}) do
  look(list, 0, ARGV[2] - 1)
  look(list, -ARGV[2], -1)
end
return {
  redis.call('LLEN', wait), redis.call('LLEN', active), redis.call('ZCARD', delayed), redis.call('ZCARD', failed),
  now - oldest,
}
`

/**
 * KEYS: failed. ARGV: prefix of the job keys, cursor, count. The next cursor, then alternately each class and its
 * count. The text of a reason begins with its class; counting in Redis moves no bodies.
 */
const COUNT_BY_CLASS = `
local scan = redis.call('ZSCAN', KEYS[1], ARGV[2], 'COUNT', ARGV[3])
local counts = {}
for index = 1, #scan[2], 2 do
  local reason = redis.call('HGET', ARGV[1] .. scan[2][index], 'failedReason')
  local class = string.match(reason or '', '^(%a+)/') or 'unknown'
  counts[class] = (counts[class] or 0) + 1
end
local answer = {scan[1]}
for class, count in pairs(counts) do
  answer[#answer + 1] = class
  answer[#answer + 1] = count
end
return answer
`

/** The key of a partition's record of blocked events: `code id` of each. */
export const BLOCKED = 'clerk-mirror:blocked'

/**
 * KEYS: the register. ARGV: prefix of the jobs' keys, how many to look at. Each code with the number of events that it
 * blocks, in turn. An event that was done, or failed in another way, has another reason in its job or no job: the
 * count removes it from the register.
 */
const COUNT_BLOCKED = `
local cursor, counts, seen = '0', {}, 0
repeat
  local scan = redis.call('ZSCAN', KEYS[1], cursor, 'COUNT', 100)
  cursor = scan[1]
  for index = 1, #scan[2], 2 do
    local code, id = string.match(scan[2][index], '^(%S+) (.*)$')
    local reason = redis.call('HGET', ARGV[1] .. id, 'failedReason') or ''
    if string.find(reason, 'blocked/' .. code .. ':', 1, true) == 1 then counts[code] = (counts[code] or 0) + 1
    else redis.call('ZREM', KEYS[1], scan[2][index]) end
    seen = seen + 1
  end
until cursor == '0' or seen >= tonumber(ARGV[2])
local answer = {}
for code, count in pairs(counts) do
  answer[#answer + 1] = code
  answer[#answer + 1] = count
end
return answer
`

export type GaugeScripts = {
  clerkRead: (
    wait: string,
    active: string,
    delayed: string,
    failed: string,
    jobs: string,
    ends: number,
  ) => Promise<number[]>
  clerkCountByClass: (failed: string, jobs: string, cursor: string, count: number) => Promise<(string | number)[]>
  clerkBlocked: (register: string, jobs: string, most: number) => Promise<(string | number)[]>
}

export function withGaugeScripts<T extends RedisClient>(client: T): T & GaugeScripts {
  client.defineCommand('clerkRead', { numberOfKeys: 4, lua: READ })
  client.defineCommand('clerkCountByClass', { numberOfKeys: 1, lua: COUNT_BY_CLASS })
  client.defineCommand('clerkBlocked', { numberOfKeys: 1, lua: COUNT_BLOCKED })
  return client as T & GaugeScripts
}
