import type { Redis } from 'ioredis'
import { key } from '../stage/site.js'

/** Events in flight, with the token of the lease's holder; '' where the lease has expired. */
export type Leases = Map<string, string>

/** Of all events, or of those of these that are still being worked on. */
export async function leases(redis: Redis, among?: readonly string[]): Promise<Leases> {
  const active = await redis.lrange(key('active'), 0, -1)
  const ids = among ? active.filter((id) => among.includes(id)) : active
  const tokens = ids.length > 0 ? await redis.mget(ids.map((id) => key(`${id}:lock`))) : []
  return new Map(ids.map((id, index) => [id, tokens[index] ?? '']))
}
