// R3: the worker that most teams write. A stock BullMQ Worker, one Prisma transaction for each event: a ledger row
// against duplicates, and the upsert. Also R5's worker, which does nothing.
// {redisUrl, prefix, concurrency, database?}; afterwards each message is answered with how long the transactions took.
import { PrismaMariaDb } from '@prisma/adapter-mariadb'
import { Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { PrismaClient } from '../../packages/mirror/dist/generated/client.js'
import { again, PATIENT, writeUser } from './user-columns.mjs'

let took = []

function applyWith(database, connections) {
  const prisma = new PrismaClient({
    adapter: new PrismaMariaDb({ ...database, connectionLimit: connections }),
    transactionOptions: PATIENT,
  })
  return async (job) => {
    const event = JSON.parse(job.data.body)
    const beganAtMs = performance.now()
    const receivedAt = new Date(job.timestamp)
    const ledger = { eventId: job.id, type: event.type, objectId: event.data.id, source: 'clerk', outcome: 'applied' }
    const work = async (transaction) => {
      await transaction.webhookEvent.create({ data: { ...ledger, attempts: 1, receivedAt, appliedAt: new Date() } })
      await writeUser(transaction, event)
    }
    await again(() => prisma.$transaction(work))
    took.push(performance.now() - beganAtMs)
  }
}

function start({ redisUrl, prefix, concurrency, database }) {
  const work = database ? applyWith(database, concurrency) : async () => {}
  const worker = new Worker('reference', work, {
    connection: new Redis(redisUrl, { maxRetriesPerRequest: null }),
    prefix,
    concurrency,
    removeOnComplete: { count: 0 },
  })
  worker.on('failed', (_job, error) => process.stderr.write(`the usual worker failed: ${error.message}\n`))
  return worker
}

let worker
process.on('message', async (order) => {
  if (worker) {
    process.send({ result: took })
    took = []
    return
  }
  worker = start(order)
  await worker.waitUntilReady()
  process.send({ result: null })
})
process.on('disconnect', () => process.exit())
process.send({ ready: true })
