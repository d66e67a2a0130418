import type { Producer, RedisInspection } from '@clerk-mirror/queue/enqueue'
import type { Check, Log } from '@clerk-mirror/runtime'

/** Ready: Redis takes writes, has room for events, and its settings keep acknowledged events. */
export async function redisCheck(producer: Producer, allowEviction: boolean): Promise<Check> {
  const inspection = await producer.inspect().catch(() => null)
  if (inspection === null) return { ok: false, cause: 'Redis does not answer, or takes no writes' }
  if (inspection.evicts && !allowEviction) {
    return { ok: false, cause: 'maxmemory-policy may evict events: set noeviction, or REDIS_ALLOW_EVICTION=true' }
  }
  // A process that takes no event is not ready, though it answers: a balancer may have another place to go.
  if (producer.isShedding()) return { ok: false, cause: 'the memory of Redis is nearly full: no event is taken' }
  return { ok: true }
}

/** Says once, when Redis first answers, how it may lose events that were answered with 202. */
export function warnOfLoss({ evicts, isBounded, appendonly, appendfsync }: RedisInspection, log: Log): void {
  const event = 'redis.unsafe'
  if (appendonly === null) {
    log.warn({ event }, 'Redis does not show its settings: make sure that it keeps acknowledged writes')
  }
  if (appendonly === false) log.warn({ event }, 'Redis has appendonly no: a restart loses every event that waits')
  if (appendonly && appendfsync === null) {
    log.warn({ event }, 'Redis does not tell its appendfsync: see to it that it is always, or a crash loses events')
  } else if (appendonly && appendfsync !== 'always') {
    log.warn({ event, appendfsync }, 'Redis has appendfsync weaker than always: a crash loses the last events')
  }
  if (evicts) log.warn({ event }, 'Redis may evict events when its memory is full: set maxmemory-policy noeviction')
  if (isBounded === false) {
    log.warn({ event }, 'Redis has no maxmemory: events that wait may fill the machine, and its kernel then ends Redis')
  }
}
