import { FOREIGN_BYTES_MAX } from '../limits.js'
import type { RedisClient } from '../redis/connection.js'

/** Reads the listed fields of a job, and leaves the body where it is: it may be a thousand times as long. */
const READ_DEAD_LETTER = `
local function text(value) return type(value) == 'string' and value end
local function deadLetterOf(id, score)
  local job = redis.call('HMGET', ARGV[1] .. id, 'name', 'timestamp', 'atm', 'failedReason', 'data', 'struckBy')
  local data = job[5] or ''
  -- As enqueue writes it, with plain ids: that can be read without reading all of it.
  local object, instance, source = string.match(data, '^{"objectId":("?[^",\\\\]*"?),"instanceId":("?[^",\\\\]*"?),"source":"(%a+)",')
  if source then
    object, instance = string.match(object, '^"(.*)"$'), string.match(instance, '^"(.*)"$')
  else
    -- With an odd id the head alone is JSON; a job that is none of ours is read whole, or not at all.
    local _, last = string.find(data, ',"source":"%a+"')
    local head = last and last <= ${FOREIGN_BYTES_MAX} and string.sub(data, 1, last) .. '}' or ''
    local isJson, decoded = pcall(cjson.decode, head)
    if not isJson and #data <= ${FOREIGN_BYTES_MAX} then isJson, decoded = pcall(cjson.decode, data) end
    if isJson and type(decoded) == 'table' then
      object, instance, source = text(decoded.objectId), text(decoded.instanceId), text(decoded.source)
    end
  end
  local bytes = #data + #(job[4] or '')
  return {id, score, job[1], job[2], job[3], job[4], object or false, instance or false, source or false, job[6]}, bytes
end
`

/**
 * KEYS: failed, or delayed. ARGV: prefix of the jobs' keys, score and id of the dead letter before, how many, how many
 * bytes; for the first page the score is '-inf' and the id ''. By score and id, so that dead letters which come or go
 * meanwhile neither hide nor repeat others. Dead letters that died in one millisecond are in the order of the bytes of
 * their ids; Lua's own comparison would go by the server's language.
 */
const PAGE = `${READ_DEAD_LETTER}
local function isBefore(one, other)
  for index = 1, math.min(#one, #other) do
    local a, b = string.byte(one, index), string.byte(other, index)
    if a ~= b then return a < b end
  end
  return #one < #other
end
local score, after, count, bytesLeft = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local low = redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. score)
local high = low + redis.call('ZCOUNT', KEYS[1], score, score)
while low < high do
  local middle = math.floor((low + high) / 2)
  local id = redis.call('ZRANGE', KEYS[1], middle, middle)[1]
  if isBefore(after, id) then high = middle else low = middle + 1 end
end
local deadLetters = {}
local page = redis.call('ZRANGE', KEYS[1], low, low + count - 1, 'WITHSCORES')
for index = 1, #page, 2 do
  local deadLetter, bytes = deadLetterOf(page[index], page[index + 1])
  deadLetters[#deadLetters + 1] = deadLetter
  bytesLeft = bytesLeft - bytes
  if bytesLeft <= 0 then return {deadLetters, 1} end
end
return {deadLetters, #deadLetters == count and 1 or 0}
`

/**
 * KEYS: failed, or delayed. ARGV: prefix of the job keys, number of bytes, ids. Returns the ones that are in the set.
 */
const AMONG = `${READ_DEAD_LETTER}
local deadLetters, bytesLeft = {}, tonumber(ARGV[2])
for index = 3, #ARGV do
  local score = redis.call('ZSCORE', KEYS[1], ARGV[index])
  if score then
    local deadLetter, bytes = deadLetterOf(ARGV[index], score)
    deadLetters[#deadLetters + 1] = deadLetter
    bytesLeft = bytesLeft - bytes
  end
  if bytesLeft <= 0 then return {deadLetters, index - 2} end
end
return {deadLetters, #ARGV - 2}
`

/**
 * KEYS: failed, events, the job, its log. ARGV: job id, stream length. 1 when it was a dead letter, and is removed now.
 */
const DISCARD = `
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('DEL', KEYS[3], KEYS[4])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*', 'event', 'removed', 'jobId', ARGV[1], 'prev', 'failed')
return 1
`

/**
 * Id, score, name, timestamp, tries, reason, object, instance, source, and the workers that died while they ran it
 * alone.
 */
export type DeadLetterRow = [string, string, ...(string | null)[]]

export type DeadLetterScripts = {
  /** The dead letters, and 1 when more may follow. */
  clerkDeadLetters: (
    failed: string,
    jobs: string,
    score: string,
    id: string,
    count: number,
    bytesMax: number,
  ) => Promise<[DeadLetterRow[], 0 | 1]>
  /** The dead letters, and the number of ids that were looked up. */
  clerkDeadLettersAmong: (
    failed: string,
    jobs: string,
    bytesMax: number,
    ...ids: string[]
  ) => Promise<[DeadLetterRow[], number]>
  clerkDiscard: (...args: (string | number)[]) => Promise<number>
}

export function withDeadLetterScripts<T extends RedisClient>(client: T): T & DeadLetterScripts {
  client.defineCommand('clerkDeadLetters', { numberOfKeys: 1, lua: PAGE })
  client.defineCommand('clerkDeadLettersAmong', { numberOfKeys: 1, lua: AMONG })
  client.defineCommand('clerkDiscard', { numberOfKeys: 4, lua: DISCARD })
  return client as T & DeadLetterScripts
}
