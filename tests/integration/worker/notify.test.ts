import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { Failure } from '@clerk-mirror/events'
import { type AlertClaims, openAlertClaims, parseRedisUrl, partition, reasonOf } from '@clerk-mirror/queue/consume'
import { Releasers } from '@clerk-mirror/runtime'
import { Redis } from 'ioredis'
import { expect, inject, test } from 'vitest'
import { type Notifier, type NotifierTiming, openNotifier } from '../../../apps/worker/src/notify.js'
import { until } from '../../support/until.js'

type Answer = number | 'none'
type Site = AsyncDisposable & {
  /** The texts that the receiver was sent, with its answers. */
  texts: string[]
  results: { sent: number; failed: number; errors: string[] }
  /** A process that tells, with a claim of its own on the same Redis. */
  open: (pace?: Partial<NotifierTiming>) => Promise<Notifier>
  keys: () => Promise<string[]>
}

const QUICK: NotifierTiming = { gapMs: 10, answerMs: 200, retryDelaysMs: [10, 20, 30] }

/** A receiver that gives these answers, the last one for ever. */
async function openSite(...answers: Answer[]): Promise<Site> {
  const owned = new Releasers()
  const texts: string[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    texts.push(JSON.parse(Buffer.concat(chunks).toString()).text)
    const answer = (answers.length > 1 ? answers.shift() : answers[0]) ?? 200
    if (answer !== 'none') response.writeHead(answer).end('ok')
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  owned.defer(() => {
    server.close()
    server.closeAllConnections()
  })
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const own = partition(`{test-${randomBytes(6).toString('hex')}}`)
  const redis = new Redis(inject('redisUrl'))
  owned.defer(() => redis.disconnect())
  const keys = () => redis.keys(`${own.prefix}*`)
  owned.defer(async () => void (await redis.del('none', ...(await keys()))))
  const results: Site['results'] = { sent: 0, failed: 0, errors: [] }
  return {
    texts,
    results,
    keys,
    async open(pace) {
      const claims = owned.use(openAlertClaims(parseRedisUrl(inject('redisUrl')), [own]))
      await connected(claims)
      const observer = {
        notified(causes: number) {
          results.sent += causes
        },
        failed(causes: number, error: Error) {
          results.failed += causes
          results.errors.push(error.message)
        },
      }
      const url = `http://127.0.0.1:${port}/services/T0/B0/hidden`
      return owned.use(openNotifier({ url, claims, observer, timing: { ...QUICK, ...pace } }))
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  }
}

const connected = (notices: AlertClaims) => until(() => notices.withdraw('nothing').then(() => true))

const news = (code: string, message = 'data.id') => ({
  type: 'user.updated',
  reason: reasonOf(new Failure('poison', code, message)),
})

test('an alert is sent for the first dead letter of a cause and for no other, whichever process has it', async () => {
  await using site = await openSite(200)
  const workers = [await site.open(), await site.open()]
  for (const worker of workers) for (let each = 0; each < 50; each += 1) worker.deadLettered(news('malformed'))
  await until(() => site.texts.length > 0)
  workers[1]?.deadLettered(news('mysql_1406'))
  await until(() => site.results.sent === 2)
  expect(site.texts).toHaveLength(2)
  const { fingerprint } = news('malformed').reason
  expect(site.texts[0]).toContain(`poison/malformed (cause ${fingerprint}, first with user.updated): data.id`)
  expect(site.texts[1]).toContain('poison/mysql_1406')
})

test('a cause is news again after a day', async () => {
  await using site = await openSite(200)
  const worker = await site.open()
  worker.deadLettered(news('malformed'))
  await until(() => site.results.sent === 1)
  const [key = ''] = await site.keys()
  const redis = new Redis(inject('redisUrl'))
  const leftMs = await redis.pttl(key)
  redis.disconnect()
  expect(leftMs).toBeGreaterThan(23 * 3_600_000)
  expect(leftMs).toBeLessThanOrEqual(24 * 3_600_000)
})

test('a receiver that fails, is busy or does not answer is tried again until it has the message', async () => {
  await using site = await openSite(500, 429, 'none', 200)
  const worker = await site.open()
  worker.deadLettered(news('malformed'))
  await until(() => site.results.sent === 1)
  expect(site.texts).toHaveLength(4)
  expect(site.results.failed).toBe(0)
})

test('when the receiver stays down, the next dead letter of the cause counts as its first', async () => {
  await using site = await openSite(500, 500, 500, 500, 200)
  const worker = await site.open()
  worker.deadLettered(news('malformed'))
  await until(() => site.results.failed === 1)
  expect(site.results.errors).toEqual(['the receiver answered with 500'])
  expect(await site.keys()).toEqual([])
  worker.deadLettered(news('malformed'))
  await until(() => site.results.sent === 1)
})

test.each([404, 302])('a receiver that refuses with %i is not tried again', async (status) => {
  await using site = await openSite(status)
  const worker = await site.open()
  worker.deadLettered(news('malformed'))
  await until(() => site.results.failed === 1)
  expect(site.texts).toHaveLength(1)
})

test('a receiver that never answers delays nobody, and causes do not heap up without end', async () => {
  await using site = await openSite('none')
  const worker = await site.open({ answerMs: 60_000 })
  const sinceMs = performance.now()
  for (let cause = 0; cause < 10_000; cause += 1) worker.deadLettered(news(`code_${'x'.repeat(cause % 500)}`))
  await until(() => site.texts.length === 1)
  await worker[Symbol.asyncDispose]()
  expect(performance.now() - sinceMs, 'the answer would have been waited for 60 s').toBeLessThan(20_000)
  expect(site.results.failed).toBeGreaterThan(0)
  // The claims of a failed alert are withdrawn, however late Redis is.
  await until(async () => (await site.keys()).length === 0)
})

test('many causes at once are a few messages', async () => {
  await using site = await openSite(200)
  const worker = await site.open()
  const codes = Array.from({ length: 25 }, (_, index) => `code_${'x'.repeat(index)}`)
  for (const code of codes) worker.deadLettered(news(code))
  await until(() => site.results.sent === 25)
  expect(site.texts, 'the first at once, then ten at a time').toHaveLength(4)
})

test('what a chat service would read as markup reaches people as text', async () => {
  await using site = await openSite(200)
  const worker = await site.open()
  worker.deadLettered({ ...news('malformed', 'a & b'), type: '<!channel>\nevents are given up\u202e' })
  await until(() => site.results.sent === 1)
  expect(site.texts[0]).toContain('&lt;!channel&gt;\\u000aevents are given up\\u202e')
  expect(site.texts[0]).toContain('a &amp; b')
})
