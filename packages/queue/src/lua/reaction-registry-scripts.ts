import { firstOf, type Partitions } from '../partitions.js'
import type { RedisClient } from '../redis/connection.js'

/*
 * The reaction registry holds the reactions that all workers request, and for which changes.
 * KEYS of its scripts: the register, a hash of `version` and, for each `reaction:NAME`, its filters, one a line; and
 * its readers, a hash of the time of each reader's last look and its report: the version that all its work in flight
 * uses, and the reactions that it registers. A version is a time, so that a register that was lost and made anew never
 * repeats one.
 */
const SHARED = `
local register, readers = unpack(KEYS)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function version() return tonumber(redis.call('HGET', register, 'version') or 0) end
local function raise() redis.call('HSET', register, 'version', string.format('%.0f', math.max(version() + 1, now))) end
local function alive()
  local words = {}
  local all = redis.call('HGETALL', readers)
  for index = 1, #all, 2 do
    local saidAt, word = string.match(all[index + 1], '^(%d+) (.*)$')
    if tonumber(saidAt or 0) > now - ARGV[1] then words[#words + 1] = word
    else redis.call('HDEL', readers, all[index]) end
  end
  return words
end
local function merged(...)
  local seen, filters = {}, {}
  for _, text in ipairs({...}) do
    for filter in string.gmatch(text, '[^\\n]+') do
      if not seen[filter] then
        seen[filter] = true
        filters[#filters + 1] = filter
      end
    end
  end
  return table.concat(filters, '\\n')
end
local function said(word) redis.call('HSET', readers, ARGV[2], string.format('%.0f %s', now, word)) end
`

/**
 * ARGV: ms that a heartbeat is valid, the reader, its heartbeat, the version that it knows. The version; the registry,
 * if it has another version.
 */
const LOOK = `${SHARED}
said(ARGV[3])
local answer = {version()}
if answer[1] ~= tonumber(ARGV[4]) then
  for _, each in ipairs(redis.call('HGETALL', register)) do answer[#answer + 1] = each end
end
return answer
`

/**
 * ARGV: ms that a heartbeat is valid, the reader, its heartbeat, then name and filters of each reaction. Removes
 * nothing.
 */
const REGISTER = `${SHARED}
said(ARGV[3])
local isChanged = false
for index = 4, #ARGV, 2 do
  local field = 'reaction:' .. ARGV[index]
  local before = redis.call('HGET', register, field)
  local filters = merged(before or '', ARGV[index + 1])
  if filters ~= before then
    redis.call('HSET', register, field, filters)
    isChanged = true
  end
end
if isChanged then raise() end
local answer = {version()}
for _, each in ipairs(redis.call('HGETALL', register)) do answer[#answer + 1] = each end
return answer
`

/** ARGV: ms that a heartbeat is valid. The heartbeats of all live readers. */
const READERS = `${SHARED}
return alive()
`

/**
 * ARGV: ms that a word holds, a reaction. Removes everything that no living worker registers: the reaction, or some of
 * its filters. In one step, so that no worker that begins meanwhile is passed over.
 */
const REMOVE = `${SHARED}
local field = 'reaction:' .. ARGV[2]
local before = redis.call('HGET', register, field)
if not before then return {'unknown'} end
local texts = {}
for _, word in ipairs(alive()) do
  local isRead, said = pcall(cjson.decode, word)
  local filters = isRead and said.reactions and said.reactions[ARGV[2]]
  if filters then texts[#texts + 1] = filters end
end
if #texts == 0 then
  redis.call('HDEL', register, field)
  raise()
  return {'removed'}
end
local kept = merged(unpack(texts))
if #merged(kept, before) == #kept then return {'registered'} end
redis.call('HSET', register, field, kept)
raise()
return {'narrowed', kept}
`

export type ReactionRegistryScripts = {
  clerkLook: (...args: (string | number)[]) => Promise<(string | number)[]>
  clerkRegisterReactions: (...args: (string | number)[]) => Promise<(string | number)[]>
  clerkReactionReaders: (...args: (string | number)[]) => Promise<string[]>
  clerkRemoveReaction: (...args: (string | number)[]) => Promise<string[]>
}

export const reactionRegistryKeys = (partitions: Partitions) => {
  const { key } = firstOf(partitions)
  return [key('clerk-mirror:reaction-register'), key('clerk-mirror:reaction-readers')] as const
}

export function withReactionRegistry<T extends RedisClient>(client: T): T & ReactionRegistryScripts {
  client.defineCommand('clerkLook', { numberOfKeys: 2, lua: LOOK })
  client.defineCommand('clerkRegisterReactions', { numberOfKeys: 2, lua: REGISTER })
  client.defineCommand('clerkReactionReaders', { numberOfKeys: 2, lua: READERS })
  client.defineCommand('clerkRemoveReaction', { numberOfKeys: 2, lua: REMOVE })
  return client as T & ReactionRegistryScripts
}

/** A registry from a script's answer. */
export function readRegistry(answer: readonly (string | number)[]): Map<string, string[]> {
  const reactions = new Map<string, string[]>()
  for (let index = 1; index < answer.length; index += 2) {
    const name = /^reaction:(.+)$/.exec(String(answer[index]))?.[1]
    if (name !== undefined) reactions.set(name, linesOf(String(answer[index + 1])))
  }
  return reactions
}

const linesOf = (text: string) => text.split('\n').filter((line) => line !== '')
