import { type Envelope, Failure } from '@clerk-mirror/events'
import { type Consumer, consume, type Delivery } from '@clerk-mirror/queue/consume'
import { openProducer } from '@clerk-mirror/queue/enqueue'
import { openQueueGauges, type QueueReading } from '@clerk-mirror/queue/gauges'
import {
  openDeadLetters,
  openPartitionDesk,
  openPartitionRegistry,
  openQueueBrowser,
  openQueueView,
  openStoredEvents,
  parseRedisUrl,
  type RedisTarget,
} from '@clerk-mirror/queue/operate'
import { Releasers } from '@clerk-mirror/runtime'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { indexOf } from '../../../packages/queue/src/partitions.js'
import { eventsOf, idsOf } from '../../support/queue/partitions.js'
import { done, envelope, UNOBSERVED } from '../../support/queue/queue.js'
import { openRedisCluster, type RedisCluster } from '../../support/queue/redis-cluster.js'
import { collect, until } from '../../support/until.js'

/*
 * The promises of the package, on three masters with a replica each. Partition 0 and the register lie on the first, 1
 * and 2 on the second, 3 on the third.
 */
const owned = new Releasers()
let cluster: RedisCluster
let target: RedisTarget
beforeAll(async () => {
  cluster = owned.use(await openRedisCluster())
  target = parseRedisUrl(cluster.url)
})
afterAll(() => owned[Symbol.asyncDispose]())

function work(handle: (batch: readonly Delivery[]) => Promise<void>): Consumer {
  const register = owned.use(openPartitionRegistry(target, 'clerk'))
  return owned.use(
    consume({
      ...{ target, partitions: register, probe: async () => {}, observer: UNOBSERVED },
      handle: async (batch) => {
        await handle(batch)
        const failure = new Failure('poison', 'malformed', 'data.id is not a string')
        return batch.map(({ envelope: { eventId } }) => (/poison/.test(eventId) ? { kind: 'failed', failure } : done))
      },
    }),
  )
}

test('a queue of four partitions works: road, dead letters, replay, gauges, status, search, browser, retirement', async () => {
  const producer = owned.use(openProducer(target, { count: 4, namespace: 'clerk' }, UNOBSERVED))
  await until(() => producer.inspect().then(() => true))
  const handled = new Set<string>()
  const worker = work(async (batch) => {
    for (const { envelope: each } of batch) handled.add(each.eventId)
  })
  const events = eventsOf(200)
  const poisoned = eventsOf(20).map((event) => ({ ...event, eventId: event.eventId.replace('_', '_poison') }))
  const isTaken = async (event: Envelope) => (await producer.enqueue(event)).kind === 'accepted'
  await Promise.all([...events, ...poisoned].map((event) => until(() => isTaken(event))))
  await until(() => handled.size === 220)
  expect([...handled].sort()).toEqual(idsOf([...events, ...poisoned]))
  const { partitions } = producer
  using deadLetters = await openDeadLetters(target, partitions)
  await until(async () => (await collect(deadLetters.list())).length === 20)
  expect((await collect(deadLetters.list())).map(({ id }) => id).sort()).toEqual(idsOf(poisoned))
  expect(await deadLetters.find('msg_poison7')).toMatchObject({ reason: { code: 'malformed' }, objectId: 'user_7' })

  await using gauges = openQueueGauges(target, partitions)
  let reading: QueueReading | null = null
  await until(async () => {
    reading = await gauges.read()
    return reading?.deadByClass?.poison === 20
  })
  expect(reading).toMatchObject({ events: { waiting: 0, active: 0, retrying: 0, dead: 20 } })
  using view = await openQueueView(target, partitions)
  expect(await view.depth()).toMatchObject({ events: { dead: 20 } })
  expect(await view.workers()).toHaveLength(1)
  expect(await view.find('msg_poison7')).toMatchObject({ where: 'dead' })
  await using browser = openQueueBrowser(target, partitions, () => 'hidden')
  const seen = await Promise.all((await browser.queues()).map((queue) => queue.getJobs(['failed'])))
  expect(seen.flat().map((job) => job.id ?? '')).toHaveLength(20)
  using stored = await openStoredEvents(target, partitions)
  expect(new Set((await collect(stored.containing(['user_1']))).map(({ id }) => id)).size).toBe(20)
  expect(await stored.remove('msg_poison7')).toBe('dead')

  handled.clear()
  expect(await deadLetters.replayMany(poisoned.map(({ eventId }) => eventId))).toBe(19)
  await until(() => handled.size === 19)
  await until(async () => (await collect(deadLetters.list())).length === 19)
  for (const { eventId } of poisoned) expect(await deadLetters.discard(eventId)).toBe(eventId !== 'msg_poison7')
  producer[Symbol.dispose]()
  using desk = await openPartitionDesk(target, 'clerk')
  await until(async () => (await desk.retire(3)).kind === 'retired')
  await worker[Symbol.asyncDispose]()
})

test('a planned failover under load loses nothing, and the worker goes on by itself', async () => {
  const producer = owned.use(openProducer(target, { count: 4, namespace: 'clerk' }, UNOBSERVED))
  await until(() => producer.inspect().then(() => true))
  const handled = new Set<string>()
  const worker = work(async (batch) => {
    for (const { envelope: each } of batch) handled.add(each.eventId)
  })
  const accepted = new Set<string>()
  let isPouring = true
  const pouring = Array.from({ length: 8 }, async (_, lane) => {
    for (let number = 0; isPouring; number += 1) {
      const id = `msg_${lane}x${number}`
      const answer = await producer.enqueue(envelope(id, { objectId: `user_${lane}_${number}` }))
      if (answer.kind === 'accepted') accepted.add(id)
    }
  })
  const isMore = async (by: number) => {
    const [before, handledBefore] = [accepted.size, handled.size]
    await until(() => accepted.size > before + by && handled.size > handledBefore + by)
  }
  await isMore(200)
  for (const key of ['{clerk-0}', '{clerk-1}', '{clerk-3}', '{clerk-0}']) {
    await cluster.failover(key)
    await isMore(200)
  }
  isPouring = false
  await Promise.all(pouring)
  await until(() => [...accepted].every((id) => handled.has(id)))
  await worker[Symbol.asyncDispose]()
  producer[Symbol.dispose]()
})

/** As if the network between a master and its replica were gone: later writes are on the master alone. */
async function cutReplicaOf(key: string): Promise<AsyncDisposable> {
  const [master, replica] = [await cluster.masterOf(key), await cluster.replicaOf(key)]
  const [, password = ''] = (await replica.client.config('GET', 'masterauth')) as string[]
  // All writes so far have arrived there.
  await master.client.set(`${key}:arrived`, '1')
  await until(async () => (await master.client.wait(1, 1000)) === 1)
  await replica.client.config('SET', 'masterauth', 'wrong')
  await master.client.client('KILL', 'TYPE', 'REPLICA')
  await until(async () => /master_link_status:down/.test(await replica.client.info('replication')))
  return { [Symbol.asyncDispose]: async () => void (await replica.client.config('SET', 'masterauth', password)) }
}

/** Unplanned: the replica takes over with its own data. */
async function loseMasterOf(key: string): Promise<void> {
  const [master, replica] = [await cluster.masterOf(key), await cluster.replicaOf(key)]
  await master.server.kill()
  await until(async () => (await cluster.masterOf(key)) === replica)
}

const inTheLast = eventsOf(400).filter(({ objectId }) => indexOf(objectId ?? '', 4) === 3)

describe.each([
  { replicas: 1, words: 'loses nothing that was acknowledged, when replicas are waited for' },
  { replicas: 0, words: 'loses what was acknowledged while its replica lagged, unless replicas are waited for' },
])('a master that is killed', ({ replicas, words }) => {
  test(words, async ({ annotate }) => {
    using producer = openProducer(target, { count: 4, namespace: 'clerk' }, UNOBSERVED, undefined, replicas)
    await until(() => producer.inspect().then(() => true))
    const events = inTheLast.map((event) => ({ ...event, eventId: `${event.eventId}r${replicas}` }))
    const [before, meanwhile] = [events.slice(0, 40), events.slice(40, 60)]
    const acceptAll = async (some: typeof events) => {
      const sinceMs = performance.now()
      const answers = await Promise.all(some.map((event) => producer.enqueue(event)))
      const tookMs = performance.now() - sinceMs
      return { tookMs, taken: some.filter((_, index) => answers[index]?.kind === 'accepted') }
    }
    await until(async () => (await acceptAll(before)).taken.length === before.length)
    {
      await using _cut = await cutReplicaOf('{clerk-3}')
      const { taken, tookMs } = await acceptAll(meanwhile)
      expect(taken).toEqual(replicas === 0 ? meanwhile : [])
      if (replicas > 0) {
        expect(tookMs).toBeLessThan(20 * 400)
        const [one] = meanwhile
        await until(async () => JSON.stringify(one && (await producer.enqueue(one))).includes('on 0 of 1 replicas'))
        // The other partitions have their replicas.
        const elsewhere = envelope('msg_elsewhere', { objectId: 'user_2' })
        await until(async () => (await producer.enqueue(elsewhere)).kind === 'accepted')
      }
      await loseMasterOf('{clerk-3}')
    }
    await cluster.mend()
    using view = await openQueueView(target, producer.partitions)
    const lost = []
    for (const { eventId } of [...before, ...meanwhile]) if (!(await view.find(eventId))) lost.push(eventId)
    await annotate(`${lost.length} of ${before.length + meanwhile.length} are gone`)
    expect(lost).toEqual(meanwhile.map(({ eventId }) => eventId))
    // Acknowledged events would not be sent again; refused ones are sent again, and accepted.
    await until(async () => (await acceptAll(meanwhile)).taken.length === meanwhile.length)
    const handled = new Set<string>()
    const worker = work(async (batch) => {
      for (const { envelope: each } of batch) handled.add(each.eventId)
    })
    await until(() => events.slice(0, 60).every(({ eventId }) => handled.has(eventId)))
    await worker[Symbol.asyncDispose]()
  })
})
