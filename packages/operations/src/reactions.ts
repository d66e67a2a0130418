import { KNOWN_KINDS } from '@clerk-mirror/events'
import type { BackfillRequest, Mirror } from '@clerk-mirror/mirror'
import type { QueueDepth, QueueView, ReactionPartitions } from '@clerk-mirror/queue/operate'
import type { Ledger } from './ledger.js'
import { FORGET_PAGE } from './limits.js'
import { OperationsError } from './operations-error.js'

/** The backlog of a reaction. */
export type ReactionBacklog = {
  reaction: string
  /** Living workers that have it; with none, its backlog waits for ever. */
  workers: number
  /** Whether workers request it; its backlog goes on waiting when they do not any more. */
  isRegistered: boolean
  /** Asked for and not handed to its queue yet: up to 100,000. */
  outbox: number
  queue: QueueDepth
  /** Seconds since the oldest of all that was asked for, queued, replayed or due for its retry; 0 without one. */
  oldestAgeS: number
}

export type AskOptions = BackfillRequest & {
  /** Counts, and asks for nothing. */
  dryRun?: boolean
  /** Stops after the page that is being asked for; the same request goes on from there. */
  signal?: AbortSignal
  onProgress?: (asked: number, of: number) => void
}

/** `matched`: objects of the request that were alive when it began or went on. */
export type AskResult = { isDone: boolean; isResumed: boolean; matched: number; asked: number }

export type ForgetOptions = { actor: string; dryRun?: boolean; signal?: AbortSignal }

/** In a dry run, the number to remove; else the number of removed ones, all or, after an interruption, a part. */
export type ForgetResult = { isDone: boolean; outbox: number; runs: number }

/** `filters`: those that living workers register, and that are left. */
export type RemoveResult = { kind: 'removed' } | { kind: 'narrowed'; filters: string[] }

export type ReactionOperations = {
  /** Of every reaction that a worker has ever had, or that something waits for. */
  list: () => Promise<ReactionBacklog[]>
  /** Requests a reaction for objects as they are now, regardless of its own filter. */
  ask: (options: AskOptions) => Promise<AskResult>
  /** Removes reactions from the registry that no living worker registers any more; their backlog stays. */
  remove: (reaction: string, options: { actor: string }) => Promise<RemoveResult>
  /**
   * Removes the backlog and the dead letters of a reaction that no worker has any more, and its entry in the registry.
   */
  forget: (reaction: string, options: ForgetOptions) => Promise<ForgetResult>
}

type Around = { places: ReactionPartitions; queue: QueueView; ledger: Ledger }

export function reactionOperations({ places, queue, ledger }: Around): ReactionOperations {
  const backlogOf = async (mirror: Mirror, reaction: string): Promise<ReactionBacklog> => {
    const of = [places.partitionOf(reaction)]
    const [workers, registered, outbox, runs] = await Promise.all([
      queue.workers(of),
      places.registered(),
      mirror.outboxDepth(reaction),
      queue.depth(of),
    ])
    return {
      ...{ reaction, workers: workers.length, isRegistered: registered.includes(reaction) },
      ...{ outbox: outbox.rows, queue: runs.events },
      oldestAgeS: Math.max(outbox.oldestMs, runs.oldestMs) / 1000,
    }
  }
  const known = async (mirror: Mirror): Promise<string[]> => {
    await places.refresh()
    const [registered, waiting] = await Promise.all([places.registered(), mirror.outboxReactions()])
    return [...new Set([...places.names, ...registered, ...waiting])].sort()
  }
  const demandKnown = async (mirror: Mirror, reaction: string) => {
    const names = await known(mirror)
    if (names.includes(reaction)) return
    const there = names.length > 0 ? `there are ${names.join(', ')}` : 'there are none'
    throw new OperationsError('reaction_unknown', `No worker has ever had the reaction "${reaction}": ${there}.`)
  }
  return {
    async list() {
      const mirror = ledger.required
      return Promise.all((await known(mirror)).map((reaction) => backlogOf(mirror, reaction)))
    },
    async ask({ dryRun = false, signal, onProgress, ...request }) {
      const mirror = ledger.required
      await demandKnown(mirror, request.reaction)
      await demandKind(mirror, request.kind)
      const matched = await mirror.countBackfill(request)
      if (dryRun) return { isDone: false, isResumed: false, matched, asked: 0 }
      const run = await mirror.beginBackfill(request)
      for (;;) {
        const { isDone, requested } = await mirror.backfillNext(run)
        // Objects come and go meanwhile.
        onProgress?.(requested, isDone ? requested : Math.max(matched, requested))
        if (isDone || signal?.aborted) return { isDone, isResumed: run.isResumed, matched, asked: requested }
      }
    },
    async remove(reaction, { actor }) {
      const mirror = ledger.required
      await demandKnown(mirror, reaction)
      const actionId = await mirror.beginAction({ actor, action: 'unregister', subjectId: reaction, details: null })
      const result = await places.unregister(reaction)
      await mirror.recordCounts(actionId, {}, true)
      if (result.kind === 'registered') throw alive(reaction)
      return result.kind === 'narrowed' ? result : { kind: 'removed' }
    },
    async forget(reaction, { actor, dryRun = false, signal }) {
      const mirror = ledger.required
      await demandKnown(mirror, reaction)
      const { workers, outbox, queue: depth } = await backlogOf(mirror, reaction)
      if (workers > 0) throw alive(reaction, workers)
      const runs = Object.values(depth).reduce((sum, count) => sum + count, 0)
      if (dryRun) return { isDone: false, outbox, runs }
      const actionId = await mirror.beginAction({ actor, action: 'forget', subjectId: reaction, details: null })
      // First, so that nothing more is requested while the outbox is emptied.
      const { kind } = await places.unregister(reaction)
      if (kind === 'registered' || kind === 'narrowed') throw alive(reaction)
      const removed = await emptyOutbox(mirror, reaction, signal)
      const isDone = !signal?.aborted
      if (isDone) await places.forget(reaction)
      await mirror.recordCounts(actionId, { outbox: removed, runs: isDone ? runs : 0 }, isDone)
      return { isDone, outbox: removed, runs: isDone ? runs : 0 }
    },
  }
}

const alive = (reaction: string, workers = 1) =>
  new OperationsError(
    'reaction_alive',
    `${workers === 1 ? 'A worker has' : `${workers} workers have`} the reaction "${reaction}": take it out of REACTIONS or CHANGE_WEBHOOK_URLS first.`,
  )

async function demandKind(mirror: Mirror, kind: string): Promise<void> {
  if (KNOWN_KINDS.includes(kind) || (await mirror.hasObjectsOf(kind))) return
  throw new OperationsError(
    'kind_unknown',
    `Nothing of the kind "${kind}" is stored: there are ${KNOWN_KINDS.join(', ')}.`,
  )
}

async function emptyOutbox(mirror: Mirror, reaction: string, signal: AbortSignal | undefined): Promise<number> {
  let removed = 0
  for (;;) {
    const rows = await mirror.outbox(reaction, FORGET_PAGE)
    if (rows.length === 0 || signal?.aborted) return removed
    await mirror.removeFromOutbox(rows.map(({ rowId }) => rowId))
    removed += rows.length
  }
}
