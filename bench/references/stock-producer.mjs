// R5's producer: a stock Queue, one `add` for each event. {redisUrl, prefix, inFlight} and then runs {file}: events as
// JSON, one a line. Answered with how long they took.
import { readFileSync } from 'node:fs'
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'

const OPTIONS = { attempts: 8, backoff: { type: 'exponential', delay: 1000 } }

async function addAll(queue, file, inFlight, perS) {
  const jobs = readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  const beganAtMs = performance.now()
  const todo = jobs.entries()
  const lane = async () => {
    for (const [index, { eventId, type, body }] of todo) {
      const waitMs = perS === undefined ? 0 : beganAtMs + (index / perS) * 1000 - performance.now()
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
      await queue.add(type, { body }, { ...OPTIONS, jobId: eventId })
    }
  }
  await Promise.all(Array.from({ length: inFlight }, lane))
  return performance.now() - beganAtMs
}

let queue
let inFlight
process.on('message', async (order) => {
  if (queue) return process.send({ result: await addAll(queue, order.file, inFlight, order.perS) })
  inFlight = order.inFlight
  queue = new Queue('reference', { connection: new Redis(order.redisUrl), prefix: order.prefix })
  await queue.waitUntilReady()
  process.send({ result: null })
})
process.on('disconnect', () => process.exit())
process.send({ ready: true })
