import { type Mirror, openMirror } from '@clerk-mirror/mirror'
import { openStoredEvents, parseRedisUrl, reactionPartition, type StoredEvents } from '@clerk-mirror/queue/operate'
import { Releasers } from '@clerk-mirror/runtime'
import { inject } from 'vitest'
import { openTestQueue, type TestQueue } from '../queue/queue.js'
import { openTestDatabase, type TestDatabase } from './database.js'

export type World = AsyncDisposable & {
  database: TestDatabase
  mirror: Mirror
  queue: TestQueue
  events: StoredEvents
  /** Of one reaction, `recorder`. */
  reactions: StoredEvents
}

export async function openWorld(): Promise<World> {
  await using owned = new Releasers()
  const database = owned.use(await openTestDatabase())
  const mirror = owned.use(openMirror(database.options))
  const queue = owned.use(await openTestQueue())
  const events = owned.use(await openStoredEvents(parseRedisUrl(inject('redisUrl')), [queue.partition]))
  const places = [reactionPartition(queue.partition, 'recorder')]
  const reactions = owned.use(await openStoredEvents(parseRedisUrl(inject('redisUrl')), places))
  const released = owned.move()
  return { database, mirror, queue, events, reactions, [Symbol.asyncDispose]: () => released[Symbol.asyncDispose]() }
}

export async function keysHolding({ redis, partition }: TestQueue, text: string): Promise<string[]> {
  const held = (await redis.keys(`${partition.prefix}*`)).map(async (key) => {
    const type = await redis.type(key)
    const value =
      type === 'hash' ? await redis.hgetall(key) : type === 'stream' ? await redis.xrange(key, '-', '+') : null
    return JSON.stringify(value).includes(text) ? [key] : []
  })
  return (await Promise.all(held)).flat()
}
