import { once } from 'node:events'
import { createServer } from 'node:http'
import { parseMirroredKinds } from '@clerk-mirror/events'
import type { DatabaseOptions } from '@clerk-mirror/mirror'
import { openQueueView, parseRedisUrl } from '@clerk-mirror/queue/operate'
import { openLog, Secret } from '@clerk-mirror/runtime'
import { expect, inject, test } from 'vitest'
import { startWorker } from '../../../apps/worker/src/start.js'
import { clerkEvent, clerkId, clerkUser } from '../../support/clerk-events.js'
import { openTestDatabase } from '../../support/mysql/database.js'
import { envelope, openTestQueue, type TestQueue } from '../../support/queue/queue.js'
import { until } from '../../support/until.js'

type Options = { database: DatabaseOptions; notifyUrl?: string; lines?: string[] }

function workerOn({ partition }: TestQueue, { database, notifyUrl, lines = [] }: Options) {
  const log = openLog({ app: 'test', level: 'info', write: (line) => void lines.push(line) })
  const config = {
    redis: new Secret(parseRedisUrl(inject('redisUrl'))),
    partitions: [partition],
    database: new Secret(database),
    mirroredKinds: parseMirroredKinds('*'),
    reactions: [],
    host: '127.0.0.1',
    port: 0,
    logLevel: 'silent' as const,
    ...(notifyUrl !== undefined && { notifyUrl: new Secret(notifyUrl) }),
  }
  return startWorker(config, { log, signal: new AbortController().signal, fail: () => {} })
}

const scrape = async ({ port }: { port: number }) => (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
const seriesValue = (text: string, series: string) =>
  Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${series} `))
      ?.split(' ')[1],
  )

test('a dead letter is counted by its worker and in the queue, and an alert is sent without any personal data', async () => {
  await using queue = await openTestQueue()
  await using database = await openTestDatabase()
  const sent: string[] = []
  const receiver = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += String(chunk)
    sent.push(text)
    response.end('ok')
  })
  await once(receiver.listen(0, '127.0.0.1'), 'listening')
  const address = receiver.address()
  const notifyUrl = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/`
  await using worker = await workerOn(queue, { database: database.options, notifyUrl })
  const body = JSON.stringify({ type: 'user.created', data: { id: 7, first_name: 'Ada', username: 'ada@example.com' } })
  await queue.producer.enqueue(envelope('msg_a', { objectId: null, body }))
  await until(() => sent.length === 1)
  receiver.close()
  expect(sent[0]).toContain('poison/malformed')
  expect(sent[0]).not.toMatch(/ada/i)
  await until(
    async () => seriesValue(await scrape(worker), 'clerk_mirror_notices_total{result="told",app="worker"}') === 1,
  )
  const poison = 'clerk_mirror_queue_dead_letters{class="poison",app="worker"}'
  await until(async () => seriesValue(await scrape(worker), poison) === 1)
  const text = await scrape(worker)
  expect(seriesValue(text, 'clerk_mirror_dead_letters_total{class="poison",code="malformed",app="worker"}')).toBe(1)
  expect(seriesValue(text, 'clerk_mirror_queue_events{state="dead",app="worker"}')).toBe(1)
  expect(seriesValue(text, 'clerk_mirror_in_flight_events{app="worker"}')).toBe(0)
})

test('events that a constraint of the application stops are named everywhere, and the worker stays ready', async () => {
  await using queue = await openTestQueue()
  await using database = await openTestDatabase()
  const lines: string[] = []
  await database.query('CREATE UNIQUE INDEX their_own ON users (username)')
  await using worker = await workerOn(queue, { database: database.options, lines })
  const view = await openQueueView(parseRedisUrl(inject('redisUrl')), [queue.partition])
  const user = (id: string) =>
    JSON.stringify(clerkEvent('user.created', clerkUser(id, 1_750_000_000_000, { username: 'ada' })))
  const send = async (eventId: string, objectId = clerkId('user')) =>
    queue.producer.enqueue(envelope(eventId, { objectId, body: user(objectId) }))
  const isGone = async (eventId: string) => (await queue.redis.exists(queue.partition.key(eventId))) === 0
  await send('msg_first')
  await until(() => isGone('msg_first'))
  await send('msg_second')
  await send('msg_third')
  const logged = () => lines.map((line) => JSON.parse(line)).filter(({ event }) => event === 'event.blocked')
  await until(() => logged().length > 0)
  // Which number it is depends on the server.
  const [{ code }] = logged()
  const blocked = `clerk_mirror_queue_blocked_events{code="${code}",app="worker"}`
  await until(async () => seriesValue(await scrape(worker), blocked) === 2)
  expect(await view.blockedByCode()).toEqual({ [code]: 2 })
  view[Symbol.dispose]()
  const ready = await fetch(`http://127.0.0.1:${worker.port}/readyz`)
  expect(ready.status).toBe(200)
  expect(await ready.json()).toMatchObject({
    checks: { mysql: { ok: true, note: expect.stringContaining(`events are blocked: ${code}, `) } },
  })
  expect(logged(), 'once for the cause, and not for each event').toMatchObject([{ level: 'warn' }])
  expect(lines.join()).not.toContain('event.retrying')
  await database.query('DROP INDEX their_own ON users')
  for (const id of ['msg_second', 'msg_third']) await queue.redis.zadd(queue.partition.key('delayed'), 0, id)
  await queue.redis.zadd(queue.partition.key('marker'), 0, '0')
  await until(async () => (await isGone('msg_second')) && (await isGone('msg_third')))
  await until(async () => !(await scrape(worker)).includes('clerk_mirror_queue_blocked_events{'))
})

test('while the database takes no events a worker says how many events it holds, and how long the oldest has waited', async () => {
  await using queue = await openTestQueue()
  // It answers when it is asked, and so the worker begins: that its disk is full shows at the first event.
  await using database = await openTestDatabase()
  const full = "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1021, MESSAGE_TEXT = 'Disk full'"
  await database.query(
    `CREATE TRIGGER full BEFORE INSERT ON webhook_events FOR EACH ROW IF NEW.event_id LIKE 'msg%' THEN ${full}; END IF`,
  )
  for (const id of ['msg_a', 'msg_b', 'msg_c']) await queue.producer.enqueue(envelope(id))
  await queue.redis.hincrby(queue.partition.key('msg_b'), 'queuedAt', -600_000)
  await using worker = await workerOn(queue, { database: database.options })
  await until(async () => seriesValue(await scrape(worker), 'clerk_mirror_held_events{app="worker"}') === 3)
  await until(
    async () => seriesValue(await scrape(worker), 'clerk_mirror_queue_events{state="active",app="worker"}') === 3,
  )
  const text = await scrape(worker)
  expect(seriesValue(text, 'clerk_mirror_breaker_open{app="worker"}')).toBe(1)
  expect(seriesValue(text, 'clerk_mirror_in_flight_events{app="worker"}')).toBe(3)
  expect(seriesValue(text, 'clerk_mirror_queue_oldest_seconds{app="worker"}')).toBeGreaterThanOrEqual(600)
})
