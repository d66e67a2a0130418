import type { RedisClient } from '../redis/connection.js'

/*
 * A worker's reports on an event that it leases. A lease that ran out may belong to another worker by now, and a
 * worker that was frozen does not know that: each script that changes how the event is judged asks for the token first.
 */

/**
 * Writes nothing about a removed job: a hash with notes alone would pass for a live job and swallow the next delivery.
 */
const ABOUT_JOB = `
local job = KEYS[1]
if redis.call('HEXISTS', job, 'data') == 0 then return 0 end
local function queueIn(ms)
  local time = redis.call('TIME')
  redis.call('HSET', job, 'queuedAt', time[1] * 1000 + math.floor(time[2] / 1000) + ms)
end
`

/** KEYS: the job. ARGV: ms until it is queued again, for the age gauge alone. */
const RETRIES = `${ABOUT_JOB}
queueIn(ARGV[1])
return 1
`

/**
 * KEYS: the job. ARGV: a worker, '1' when it begins to run the event alone and '0' when it has survived that. The field
 * `struckBy` lists the workers that began and did not return. A worker that lost its lease removes itself all the same.
 */
const ALONE = `${ABOUT_JOB}
local others = {}
for id in string.gmatch(redis.call('HGET', job, 'struckBy') or '', '%S+') do
  if id ~= ARGV[1] then others[#others + 1] = id end
end
if ARGV[2] == '1' then others[#others + 1] = ARGV[1] end
if #others == 0 then return redis.call('HDEL', job, 'struckBy') end
return redis.call('HSET', job, 'struckBy', table.concat(others, ' '))
`

/** A worker without the lease reports nothing more of the job: another one has started it, and its start must count. */
const BY_OWNER = `${ABOUT_JOB}
if redis.call('GET', job .. ':lock') ~= ARGV[1] then return 0 end
`

/**
 * KEYS: the job. ARGV: lock token, number of starts to count, '1' when a finished try clears the event of suspicion.
 */
const STARTS = `${BY_OWNER}
redis.call('HSET', job, 'ats', ARGV[2])
if ARGV[3] == '1' then redis.call('HDEL', job, 'struckBy') end
return 1
`

/**
 * KEYS: the job, the record of blocked events. ARGV: lock token, id, reason, code, ms until it is queued again. This
 * try counts neither as a start nor as an attempt. The reason is stored in BullMQ's own field, where stock tools show
 * it, and tells the next worker that the event runs alone.
 */
const BLOCK = `${BY_OWNER}
redis.call('HSET', job, 'ats', redis.call('HGET', job, 'atm') or 0, 'failedReason', ARGV[3])
redis.call('HDEL', job, 'struckBy')
queueIn(ARGV[5])
redis.call('ZADD', KEYS[2], 0, ARGV[4] .. ' ' .. ARGV[2])
return 1
`

/**
 * KEYS: active, stalled. ARGV: prefix of the job keys, lease in ms; then id and token of each event. Renews the leases.
 * An expired lease is taken again unless another process has noticed: a worker that was frozen works on. Returns the
 * ids of events that belong to another worker now, or wait for one.
 */
const RENEW = `
local active, stalled = unpack(KEYS)
local lost = {}
for at = 3, #ARGV, 2 do
  local id, token = ARGV[at], ARGV[at + 1]
  local job = ARGV[1] .. id
  local owner = redis.call('GET', job .. ':lock')
  local isUnmissed = not owner and redis.call('LREM', active, 1, id) == 1
  if isUnmissed then redis.call('LPUSH', active, id) end
  if owner == token or isUnmissed then
    redis.call('SET', job .. ':lock', token, 'PX', ARGV[2])
    redis.call('SREM', stalled, id)
  elseif redis.call('EXISTS', job) == 1 then lost[#lost + 1] = id end
end
return lost
`

export type LeaseScripts = {
  clerkRetries: (job: string, milliseconds: number) => Promise<number>
  clerkAlone: (job: string, worker: string, begins: 0 | 1) => Promise<number>
  /** 0 when this worker no longer holds the lease. */
  clerkStarts: (job: string, token: string, starts: number, isOver: 0 | 1) => Promise<number>
  clerkBlock: (
    ...keysAndArguments: [
      ...[job: string, blocked: string, token: string, id: string, reason: string, code: string, milliseconds: number],
    ]
  ) => Promise<number>
  clerkRenew: (
    active: string,
    stalled: string,
    jobs: string,
    milliseconds: number,
    ...leases: string[]
  ) => Promise<string[]>
}

export function withLeaseScripts<T extends RedisClient>(client: T): T & LeaseScripts {
  client.defineCommand('clerkRetries', { numberOfKeys: 1, lua: RETRIES })
  client.defineCommand('clerkAlone', { numberOfKeys: 1, lua: ALONE })
  client.defineCommand('clerkStarts', { numberOfKeys: 1, lua: STARTS })
  client.defineCommand('clerkBlock', { numberOfKeys: 2, lua: BLOCK })
  client.defineCommand('clerkRenew', { numberOfKeys: 2, lua: RENEW })
  return client as T & LeaseScripts
}
