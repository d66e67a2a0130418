import { type Envelope, eventIdOf } from '@clerk-mirror/events'
import { Queue, UnrecoverableError, Worker } from 'bullmq'
import { until } from '../until.js'
import { envelope, type TestQueue } from './queue.js'

/** The parts of a queue that are needed to make dead letters in it. */
type DeadLetterQueue = Pick<TestQueue, 'partition' | 'producer' | 'redis'>

/** A dead letter in a story: its event, and the line of its reason. */
export type DeadLetterPlan = { id: string; reason: string } & Partial<Omit<Envelope, 'eventId'>>

const MALFORMED = 'poison/malformed: data.id is not a string of 1 to 64 visible ASCII characters'

/** One of each kind; the first two died of the same. `settled` is one that the ledger must know as applied. */
export const ONE_OF_EACH = {
  malformed: { id: 'msg_malformed', reason: MALFORMED },
  alsoMalformed: { id: 'msg_alsoMalformed', reason: MALFORMED, type: 'user.updated', objectId: 'user_2' },
  refused: {
    id: 'msg_refused',
    reason: 'poison/mysql_1406: the database refused with error 1406',
    type: 'organization.updated',
    objectId: 'org_1',
  },
  killer: { id: 'msg_killer', reason: 'killer/worker_killed: ran alone 5 times, and each time its worker crashed' },
  unknown: { id: 'msg_unknown', reason: 'unknown/handler_threw: the handler threw' },
  foreign: { id: 'msg_foreign', reason: 'moved by hand' },
  hashed: { id: eventIdOf('evt/of another form'), reason: 'unknown/handler_threw: the handler threw' },
  settled: { id: 'msg_settled', reason: 'unknown/handler_threw: the handler threw', objectId: 'user_settled' },
} as const satisfies Record<string, DeadLetterPlan>

/** Makes them all dead letters, in this order, and beside them one event that waits and one that retries. */
export async function aSelectionOfDeadLetters(queue: DeadLetterQueue): Promise<typeof ONE_OF_EACH> {
  await deadLettered(queue, Object.values(ONE_OF_EACH))
  await using stock = openStockQueue(queue)
  await stock.add('user.created', { body: '{}' }, { jobId: 'msg_retrying', delay: 3_600_000 })
  await queue.producer.enqueue(envelope('msg_waiting', { objectId: 'user_waiting' }))
  return ONE_OF_EACH
}

/** Accepted, tried once, and given up for the reason that each names, one after the other. */
export async function deadLettered(queue: DeadLetterQueue, plans: readonly DeadLetterPlan[]): Promise<void> {
  const reasons = new Map<string, string>(plans.map(({ id, reason }) => [id, reason]))
  const before = await queue.redis.zcard(queue.partition.key('failed'))
  const fail = async ({ id }: { id?: string | undefined }) => {
    throw new UnrecoverableError(reasons.get(id ?? '') ?? 'unknown/handler_threw: not in the story')
  }
  const { nodes } = targetOf(queue)
  const worker = new Worker('clerk-events', fail, { connection: nodes, prefix: queue.partition.prefix, concurrency: 1 })
  worker.on('error', () => {})
  for (const { id, reason: _, ...changes } of plans) await queue.producer.enqueue(envelope(id, changes))
  await until(async () => (await queue.redis.zcard(queue.partition.key('failed'))) === before + plans.length)
  await worker.close()
  // A worker is quick: those that died in one millisecond would be in the order of their ids.
  const lastMs = Date.now()
  for (const [index, { id }] of plans.entries()) {
    await queue.redis.zadd(queue.partition.key('failed'), 'XX', lastMs - plans.length + index, id)
  }
}

export function openStockQueue(queue: DeadLetterQueue): Queue & AsyncDisposable {
  const stock = new Queue('clerk-events', { connection: targetOf(queue).nodes, prefix: queue.partition.prefix })
  return Object.assign(stock, { [Symbol.asyncDispose]: () => stock.close() })
}

function targetOf({ redis }: DeadLetterQueue) {
  const { host = '127.0.0.1', port = 6379, db = 0, username, password } = redis.options
  const access = { ...(username && { username }), ...(password && { password }) }
  return { nodes: { host, port, db, ...access, maxRetriesPerRequest: null } }
}

/** Where each of these events is: `failed`, `wait`, `delayed`, or `gone`. */
export async function placesOf(queue: DeadLetterQueue, ids: readonly string[]): Promise<Record<string, string>> {
  await using stock = openStockQueue(queue)
  const entries = ids.map(async (id) => [id, await stock.getJobState(id)] as const)
  return Object.fromEntries(await Promise.all(entries))
}
