import type { RedisClient } from '../redis/connection.js'

/*
 * The registry holds the number of partitions that are served: `{clerk-0}` up to one below its count. It has a slot of
 * its own.
 *
 * KEYS of its scripts: the register, a hash of `count`, `retiring` (a token, while one is being retired) and `used:N`
 * (events were spread over N partitions once); and the producers, a hash of the report and time of each.
 */
const SHARED = `
local register, producers = unpack(KEYS)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function count() return tonumber(redis.call('HGET', register, 'count') or 1) end
local function alive(milliseconds)
  local words = {}
  local all = redis.call('HGETALL', producers)
  for index = 1, #all, 2 do
    local saidAt, spread, word = string.match(all[index + 1], '^(%d+) (%d+) (.*)$')
    if tonumber(saidAt or 0) > now - milliseconds then words[#words + 1] = {tonumber(spread), word} end
  end
  return words
end
`

/**
 * ARGV: ms that a word holds, a producer's id, how many partitions it spreads events over, its report. Redis' time, the
 * count of partitions, then every number of partitions that events were ever spread over. A producer that needs the
 * last partition prevents its retirement.
 */
const REGISTER_PRODUCER = `${SHARED}
local spread = tonumber(ARGV[3])
if spread >= count() then
  redis.call('HSET', register, 'count', spread)
  redis.call('HDEL', register, 'retiring')
end
redis.call('HSET', register, 'used:' .. spread, 1)
redis.call('HSET', producers, ARGV[2], string.format('%.0f %d %s', now, spread, ARGV[4]))
local all = redis.call('HGETALL', producers)
for index = 1, #all, 2 do
  if tonumber(string.match(all[index + 1], '^%d+')) <= now - ARGV[1] then redis.call('HDEL', producers, all[index]) end
end
local answer = {now, count()}
local fields = redis.call('HGETALL', register)
for index = 1, #fields, 2 do
  local used = string.match(fields[index], '^used:(%d+)$')
  if used then answer[#answer + 1] = tonumber(used) end
end
return answer
`

/**
 * ARGV: ms that a heartbeat is valid. The count of partitions, then number of partitions and description of each live
 * producer.
 */
const READ = `${SHARED}
local answer = {count()}
for _, producer in ipairs(alive(tonumber(ARGV[1]))) do
  answer[#answer + 1] = producer[1]
  answer[#answer + 1] = producer[2]
end
return answer
`

/**
 * ARGV: ms that a heartbeat is valid, index of a partition, a token. Whether it may be retired: yes, no, not-last,
 * in-use.
 */
const BEGIN_RETIRING = `${SHARED}
local index = tonumber(ARGV[2])
if index >= count() then return 'no' end
if index ~= count() - 1 then return 'not-last' end
for _, producer in ipairs(alive(tonumber(ARGV[1]))) do
  if producer[1] > index then return 'in-use' end
end
redis.call('HSET', register, 'retiring', ARGV[3])
return 'yes'
`

/** ARGV: index of a partition, the token. 1 unless a producer has registered for it since. */
const END_RETIRING = `${SHARED}
if redis.call('HGET', register, 'retiring') ~= ARGV[2] then return 0 end
redis.call('HDEL', register, 'retiring')
redis.call('HSET', register, 'count', ARGV[1])
return 1
`

/** The field of a partition's `meta` that closes it to producers: the token of its retirement. */
export const CLOSED = 'clerk-mirror:closed'

/** All lists and sets that can hold an event; a partition with all of them empty is empty. */
export const PLACES = [
  ...['wait', 'paused', 'active', 'delayed', 'prioritized', 'waiting-children', 'failed', 'completed'],
] as const

/**
 * KEYS: meta, then the lists and sets of one partition. ARGV: the token. Closes the partition if it is empty, in one
 * step: from then on no event is added to it. Returns the number of events that it holds.
 */
const CLOSE = `
local events = 0
for index = 2, #KEYS do
  local kind = redis.call('TYPE', KEYS[index]).ok
  if kind == 'list' then events = events + redis.call('LLEN', KEYS[index]) end
  if kind == 'zset' then events = events + redis.call('ZCARD', KEYS[index]) end
end
if events == 0 then redis.call('HSET', KEYS[1], '${CLOSED}', ARGV[1]) end
return events
`

/** KEYS: meta. ARGV: the token that was found. A faster process has left another one, or none. */
const REOPEN = `
if redis.call('HGET', KEYS[1], '${CLOSED}') == ARGV[1] then return redis.call('HDEL', KEYS[1], '${CLOSED}') end
return 0
`

export type PartitionScripts = {
  clerkRegisterProducer: (...args: (string | number)[]) => Promise<number[]>
  clerkPartitions: (...args: (string | number)[]) => Promise<(number | string)[]>
  clerkBeginRetiring: (...args: (string | number)[]) => Promise<'yes' | 'no' | 'not-last' | 'in-use'>
  clerkEndRetiring: (...args: (string | number)[]) => Promise<number>
  clerkClose: (...args: (string | number)[]) => Promise<number>
  clerkReopen: (meta: string, token: string) => Promise<number>
}

export const registryKeys = (namespace: string) =>
  [`{${namespace}-partitions}:clerk-mirror:register`, `{${namespace}-partitions}:clerk-mirror:doors`] as const

export function withPartitionScripts<T extends RedisClient>(client: T): T & PartitionScripts {
  client.defineCommand('clerkRegisterProducer', { numberOfKeys: 2, lua: REGISTER_PRODUCER })
  client.defineCommand('clerkPartitions', { numberOfKeys: 2, lua: READ })
  client.defineCommand('clerkBeginRetiring', { numberOfKeys: 2, lua: BEGIN_RETIRING })
  client.defineCommand('clerkEndRetiring', { numberOfKeys: 2, lua: END_RETIRING })
  client.defineCommand('clerkClose', { numberOfKeys: PLACES.length + 1, lua: CLOSE })
  client.defineCommand('clerkReopen', { numberOfKeys: 1, lua: REOPEN })
  return client as T & PartitionScripts
}
