import { consume } from '@clerk-mirror/queue/consume'
import { openProducer, parseRedisUrl, partition } from '@clerk-mirror/queue/enqueue'
import { Releasers } from '@clerk-mirror/runtime'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { done, envelope, UNOBSERVED } from '../../support/queue/queue.js'
import { type ClusterNode, openRedisCluster, type RedisCluster } from '../../support/queue/redis-cluster.js'
import { until } from '../../support/until.js'

/*
 * While a slot moves, its keys are on two masters, and a script that needs keys of both is told TRYAGAIN.
 */
const servers = new Releasers()
let cluster: RedisCluster
beforeAll(async () => {
  cluster = servers.use(await openRedisCluster())
})
afterAll(() => servers[Symbol.asyncDispose]())

let owned: Releasers
beforeEach(() => {
  owned = new Releasers()
})
afterEach(() => owned[Symbol.asyncDispose]())

const own = partition('{clerk-0}')
const target = () => parseRedisUrl(cluster.url)

/** How often a server has said TRYAGAIN. */
async function refusals({ client }: ClusterNode): Promise<number> {
  return Number(/errorstat_TRYAGAIN:count=(\d+)/.exec(await client.info('errorstats'))?.[1] ?? 0)
}

test.each([0, 1])(
  'a producer that waits for %s replicas tries again within its time, and then loses nothing',
  async (replicas) => {
    const producer = owned.use(openProducer(target(), [own], UNOBSERVED, undefined, replicas))
    const accepted = async (id: string) => (await producer.enqueue(envelope(id))).kind === 'accepted'
    for (let event = 0; event < 5; event += 1) await until(() => accepted(`msg_r${replicas}x${event}`))
    const { from, finish } = await cluster.beginMove(own.prefix)
    const before = await refusals(from)
    expect(await producer.enqueue(envelope(`msg_r${replicas}moving`))).toMatchObject({
      kind: 'refused',
      code: 'redis_unavailable',
    })
    expect((await refusals(from)) - before).toBeGreaterThan(1)
    await finish()
    await until(() => accepted(`msg_r${replicas}moving`))
  },
)

test('a producer whose register is on its way asks the node that imports it', async () => {
  const enrolled = () => openProducer(target(), { count: 1, namespace: 'clerk' }, UNOBSERVED, undefined, 1)
  const first = owned.use(enrolled())
  await until(async () => (await first.enqueue(envelope('msg_enrolled'))).kind === 'accepted')
  const { moveKeys, finish } = await cluster.beginMove('{clerk-partitions}')
  await moveKeys()
  const second = owned.use(enrolled())
  await until(async () => (await second.enqueue(envelope('msg_asked'))).kind === 'accepted')
  await finish()
})

test('a worker holds what it has done until the slot has moved', async () => {
  const producer = owned.use(openProducer(target(), [own], UNOBSERVED))
  await until(async () => (await producer.enqueue(envelope('msg_first'))).kind === 'accepted')
  const handled: string[] = []
  const holding: (() => void)[] = []
  let isHolding = true
  const failed: string[] = []
  const workerFailed = ({ message }: Error) => void failed.push(message)
  owned.use(
    consume({
      ...{ target: target(), partitions: [own], observer: { ...UNOBSERVED, workerFailed }, probe: async () => {} },
      handle: async (batch) => {
        handled.push(...batch.map(({ envelope: { eventId } }) => eventId))
        // On a slow machine its lease ends meanwhile, and it comes once more.
        if (isHolding) await new Promise<void>((resolve) => holding.push(resolve))
        return batch.map(() => done)
      },
    }),
  )
  await until(() => handled.includes('msg_first'))
  const { from, finish } = await cluster.beginMove(own.prefix)
  const before = await refusals(from)
  isHolding = false
  for (const release of holding) release()
  // More of them than a client of a cluster bears by itself.
  await until(async () => (await refusals(from)) > before + 40)
  await finish()
  const { client } = await cluster.masterOf(own.prefix)
  await until(async () => (await client.exists(own.key('msg_first'))) === 0)
  expect(failed.filter((message) => /redirections|TRYAGAIN/.test(message))).toEqual([])
})
