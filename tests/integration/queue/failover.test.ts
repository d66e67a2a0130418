import { consume } from '@clerk-mirror/queue/consume'
import { openProducer, openReactionProducer } from '@clerk-mirror/queue/enqueue'
import { openQueueGauges } from '@clerk-mirror/queue/gauges'
import {
  openPartitionRegistry,
  openQueueBrowser,
  openQueueView,
  parseRedisUrl,
  partition,
} from '@clerk-mirror/queue/operate'
import { Releasers } from '@clerk-mirror/runtime'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  openOperatorClient,
  openPatientClient,
  openPromptClient,
} from '../../../packages/queue/src/redis/connection.js'
import type { PrivateRedis } from '../../support/queue/private-redis.js'
import { done, envelope, UNOBSERVED } from '../../support/queue/queue.js'
import { openRedisPair, type RedisPair } from '../../support/queue/redis-pair.js'
import { until } from '../../support/until.js'

/*
 * A failover after which the old master stays up as a replica, and no connection breaks: only the name leads elsewhere.
 */

/** The promise is 5 s on a machine that has nothing else to do. */
const MOVED_WITHIN_MS = 10 * 5_000

let owned: Releasers
let pair: RedisPair
beforeEach(async () => {
  owned = new Releasers()
  pair = owned.use(await openRedisPair())
})
afterEach(() => owned[Symbol.asyncDispose]())

const own = partition('{clerk-0}')
const target = () => parseRedisUrl(pair.url)

function work() {
  const handled = new Set<string>()
  const consumer = owned.use(
    consume({
      ...{ target: target(), partitions: [own], observer: UNOBSERVED, probe: async () => {} },
      handle: async (batch) => {
        for (const { envelope: each } of batch) handled.add(each.eventId)
        return batch.map(() => done)
      },
    }),
  )
  return { consumer, handled }
}

/** Connections of clients that a server has, without the one of this test and those of replication. */
async function connectionsOf({ client }: PrivateRedis): Promise<number> {
  const list = String(await client.client('LIST', 'TYPE', 'NORMAL'))
  return list.split('\n').filter((line) => line !== '').length - 1
}

test.each([
  { replicas: 0, name: 'a producer' },
  { replicas: 1, name: 'a producer that waits for a replica' },
])('$name and an idle worker follow the name, and nothing that was acknowledged is lost', async ({ replicas }) => {
  const producer = owned.use(openProducer(target(), [own], UNOBSERVED, undefined, replicas))
  const { handled } = work()
  const accepted = async (id: string) => (await producer.enqueue(envelope(id))).kind === 'accepted'
  await until(() => accepted('msg_before'))
  await until(() => handled.has('msg_before'))
  await pair.promote()
  pair.moveName()
  await until(() => accepted('msg_after'), MOVED_WITHIN_MS)
  await until(() => handled.has('msg_after'), MOVED_WITHIN_MS)
  await until(async () => (await connectionsOf(pair.replica())) === 0, MOVED_WITHIN_MS)
})

test('a worker takes what a producer that started after the failover was answered 202 for', async () => {
  const { handled } = work()
  await until(async () => (await connectionsOf(pair.master())) > 0)
  await pair.promote()
  pair.moveName()
  const producer = owned.use(openProducer(target(), [own], UNOBSERVED))
  await until(async () => (await producer.enqueue(envelope('msg_1'))).kind === 'accepted', MOVED_WITHIN_MS)
  await until(() => handled.has('msg_1'), MOVED_WITHIN_MS)
})

test('the name may follow later: until then events are refused and nobody hammers the replica', async () => {
  const producer = owned.use(openProducer(target(), [own], UNOBSERVED))
  const { handled } = work()
  await until(async () => (await producer.enqueue(envelope('msg_1'))).kind === 'accepted')
  await until(() => handled.has('msg_1'))
  await pair.promote()
  const old = pair.replica()
  await until(async () => (await producer.enqueue(envelope('msg_2'))).kind === 'refused')
  const made = async () => Number(/total_connections_received:(\d+)/.exec(await old.client.info('stats'))?.[1])
  const [before, sinceMs] = [await made(), performance.now()]
  await until(async () => (await made()) > before + 20)
  // Ingest has one connection and the worker two: each makes four attempts in the first 1.5 s, then one a second.
  expect(performance.now() - sinceMs).toBeGreaterThan(3_000)
  pair.moveName()
  await until(async () => (await producer.enqueue(envelope('msg_2'))).kind === 'accepted', MOVED_WITHIN_MS)
  await until(() => handled.has('msg_2'), MOVED_WITHIN_MS)
})

test('clients that only read follow too, and so do those that have nothing to do', async () => {
  const view = owned.use(await openQueueView(target(), [own]))
  const browser = owned.use(openQueueBrowser(target(), [own], () => ''))
  const gauges = owned.use(openQueueGauges(target(), [own]))
  owned.use(openPartitionRegistry(target(), 'clerk'))
  owned.use(openReactionProducer(target(), own, ['one']))
  for (const open of [openPromptClient, openOperatorClient, openPatientClient]) {
    const client = open(target()).on('error', () => {})
    owned.defer(() => client.disconnect())
  }
  await browser.queues()
  await until(async () => (await gauges.read()) !== null)
  await until(async () => (await connectionsOf(pair.master())) >= 8)
  await pair.promote()
  pair.moveName()
  await until(async () => (await connectionsOf(pair.replica())) === 0, MOVED_WITHIN_MS)
  await until(async () => (await connectionsOf(pair.master())) >= 8)
  expect(await view.depth()).toMatchObject({ events: { waiting: 0 } })
})

test('an operator who reaches a replica is told so', async () => {
  await pair.promote()
  await expect(openQueueView(target(), [own])).rejects.toThrow(/READONLY: this Redis is a replica/)
})

test('an account that may not ask for the role is led by what it is refused, and hammers nobody either', async () => {
  for (const { client } of [pair.master(), pair.replica()]) {
    await client.call('ACL', 'SETUSER', 'blind', 'on', '>secret', '~*', '+@all', '-info')
  }
  const client = openPromptClient({ ...target(), username: 'blind', password: 'secret' }).on('error', () => {})
  owned.defer(() => client.disconnect())
  const writes = () =>
    client.set('{clerk-0}:one', '1').then(
      () => true,
      () => false,
    )
  await until(writes)
  await pair.promote()
  const old = pair.replica()
  const made = async () => Number(/total_connections_received:(\d+)/.exec(await old.client.info('stats'))?.[1])
  const [before, sinceMs] = [await made(), performance.now()]
  await until(async () => !(await writes()) && (await made()) >= before + 5)
  // 100, 200, 400, 800 and 1,600 ms apart.
  expect(performance.now() - sinceMs).toBeGreaterThan(2_500)
  pair.moveName()
  await until(writes, MOVED_WITHIN_MS)
})

test('a server that loads its data for long is left for the one that the name leads to', async () => {
  const producer = owned.use(openProducer(target(), [own], UNOBSERVED))
  const { handled } = work()
  await until(async () => (await producer.enqueue(envelope('msg_1'))).kind === 'accepted')
  await until(() => handled.has('msg_1'))
  const [old, next] = [pair.master(), pair.replica()]
  for (let key = 0; key < 1_000; key += 1) await old.client.set(`ballast:${key}`, 'x'.repeat(4_096))
  await old.client.bgrewriteaof()
  await until(async () => /aof_rewrite_in_progress:0/.test(await old.client.info('persistence')))
  await old.server.kill()
  // A fifth of a second for each key, and its clients are told LOADING meanwhile.
  old.configure({ 'key-load-delay': 200_000, 'loading-process-events-interval-bytes': 1024, rdbcompression: 'no' })
  const starting = old.server.start().catch(() => {})
  owned.defer(() => starting)
  owned.defer(() => old.server.kill())
  await until(async () => /LOADING/.test(await refusalOf(old)))
  await until(async () => (await producer.enqueue(envelope('msg_2'))).kind === 'refused')
  await next.client.replicaof('NO', 'ONE')
  pair.name.retarget(next.port)
  await until(async () => (await producer.enqueue(envelope('msg_2'))).kind === 'accepted', MOVED_WITHIN_MS)
  await until(() => handled.has('msg_2'), MOVED_WITHIN_MS)
})

const refusalOf = ({ client }: PrivateRedis): Promise<string> => client.get('any').then(String, String)
