import {
  type DeadLetters,
  openDeadLetters,
  openQueueView,
  openReactionPartitions,
  type Partition,
  type Partitions,
  type QueueDepth,
  type QueueView,
  type ReactionPartitions,
  type RedisTarget,
  reactionJobId,
} from '@clerk-mirror/queue/operate'
import { type DeadLetterOperations, deadLetterOperations } from './dead-letters.js'
import type { Ledger } from './ledger.js'
import { type ReactionOperations, reactionOperations } from './reactions.js'
import type { ReactionTrace } from './trace-types.js'

export type ReactionStatus = { reaction: string; queue: QueueDepth; oldestAgeS: number }

/** The reactions queue, as far as operators see and move it. New reactions are seen at the next question. */
export type ReactionDesk = Disposable & {
  verbs: ReactionOperations
  deadLetters: DeadLetterOperations
  status: () => Promise<ReactionStatus[]>
  /** The queued reactions to an event's changes of these objects. */
  to: (eventId: string, objectIds: readonly string[]) => Promise<ReactionTrace[]>
}

/** @throws QueueUnavailable when Redis cannot be reached. */
export async function openReactionDesk(redis: RedisTarget, list: Partitions, ledger: Ledger): Promise<ReactionDesk> {
  const places = await openReactionPartitions(redis, list)
  try {
    const deadLetters = await openDeadLetters(redis, places.partitions)
    try {
      return desk(places, deadLetters, await openQueueView(redis, places.partitions), ledger)
    } catch (error) {
      deadLetters[Symbol.dispose]()
      throw error
    }
  } catch (error) {
    places[Symbol.dispose]()
    throw error
  }
}

function desk(places: ReactionPartitions, deadLetters: DeadLetters, queue: QueueView, ledger: Ledger): ReactionDesk {
  const each = async <T>(ask: (reaction: string, partition: Partition) => Promise<T>): Promise<T[]> => {
    await places.refresh()
    return Promise.all(places.partitions.map((partition, index) => ask(places.names[index] ?? '', partition)))
  }
  return {
    verbs: reactionOperations({ places, queue, ledger }),
    deadLetters: looking(deadLetterOperations(deadLetters, ledger, 'reactions'), places.refresh),
    status: () =>
      each(async (reaction, partition) => {
        const { events, oldestMs } = await queue.depth([partition])
        return { reaction, queue: events, oldestAgeS: oldestMs / 1000 }
      }),
    async to(eventId, objectIds) {
      const found = await each((reaction, partition) =>
        Promise.all(
          objectIds.map(async (objectId) => {
            const id = reactionJobId(reaction, eventId, objectId)
            const run = await queue.find(id, [partition])
            return run && { reaction, objectId, id, where: run.where, attempts: run.attempts, reason: run.reason }
          }),
        ),
      )
      return found.flat().filter((run) => run !== null)
    },
    [Symbol.dispose]() {
      for (const one of [places, deadLetters, queue]) one[Symbol.dispose]()
    },
  }
}

/** Sees which reactions there are before each question. */
const looking = (deadLetters: DeadLetterOperations, look: () => Promise<void>): DeadLetterOperations => ({
  page: (...asked) => look().then(() => deadLetters.page(...asked)),
  async *each(filter) {
    await look()
    yield* deadLetters.each(filter)
  },
  causes: (filter) => look().then(() => deadLetters.causes(filter)),
  show: (id) => look().then(() => deadLetters.show(id)),
  recordLook: (...asked) => deadLetters.recordLook(...asked),
  recordLooks: (...asked) => deadLetters.recordLooks(...asked),
  replay: (...asked) => look().then(() => deadLetters.replay(...asked)),
  discard: (...asked) => look().then(() => deadLetters.discard(...asked)),
  retryNow: (...asked) => look().then(() => deadLetters.retryNow(...asked)),
})
