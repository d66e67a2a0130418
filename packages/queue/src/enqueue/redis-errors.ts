import { errorWord } from '../redis/error-word.js'

/** Ingest's answer when Redis did not make an event durable. */
export type RedisErrorCode = 'redis_full' | 'redis_unavailable'

/**
 * The code of an event that was not stored, by the first word of Redis' error. Any other error, such as a lost
 * connection or a timeout, is `redis_unavailable` too: then it is unknown whether the event was stored.
 */
const CODE_OF_WORD: Readonly<Record<string, RedisErrorCode>> = {
  OOM: 'redis_full', // maxmemory, and nothing may be evicted
  BUSY: 'redis_unavailable', // a script runs for too long
  CLUSTERDOWN: 'redis_unavailable', // a slot has no node
  LOADING: 'redis_unavailable', // it reads its files after a start
  MASTERDOWN: 'redis_unavailable', // a replica without its master
  MISCONF: 'redis_unavailable', // it cannot write to its disk
  NOAUTH: 'redis_unavailable', // a password is missing
  NOPERM: 'redis_unavailable', // the account may not do this
  NOREPLICAS: 'redis_unavailable', // too few replicas to be safe
  READONLY: 'redis_unavailable', // a replica
  TRYAGAIN: 'redis_unavailable', // a slot is moving
  WRONGPASS: 'redis_unavailable', // user or password
}

export const redisErrorCode = (message: string): RedisErrorCode =>
  CODE_OF_WORD[errorWord(message)] ?? 'redis_unavailable'
