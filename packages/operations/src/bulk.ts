import { setTimeout as pause } from 'node:timers/promises'
import type { NewAction } from '@clerk-mirror/mirror'
import type { DeadLetter, JobList } from '@clerk-mirror/queue/operate'
import { type DeadLetterFilter, type DeadLetterQueue, demandParts } from './dead-letter-filter.js'
import { type Range, type WalkedPage, walk } from './dead-letter-walk.js'
import type { Ledger } from './ledger.js'
import { ascii } from './ledger-entry.js'
import { BULK_CHUNK, RATE_STEPS, RECORDED_CHARS_MAX, RECORDED_IDS_MAX } from './limits.js'

export type BulkOptions = {
  /** The operator, for the audit. */
  actor: string
  /** Counts, and touches nothing. */
  dryRun?: boolean
  /** The most dead letters a second. */
  ratePerS?: number
  /** Stops where it is; the same request again does the rest. */
  signal?: AbortSignal
  onProgress?: (done: number, of: number) => void
}

/**
 * `matched`: when it began. `skipped`: gone when their turn came, since Clerk or another operator was faster. After an
 * interruption the three do not add up: the rest was not touched.
 */
export type ReplayResult = { matched: number; replayed: number; skipped: number }
export type DiscardResult = { matched: number; discarded: number; skipped: number }
export type RetryNowResult = { matched: number; retried: number; skipped: number }

/** Applies a command to a few dead letters; returns the number of moved ones. */
type Move = (deadLetters: readonly DeadLetter[]) => Promise<number>

export type Bulk = {
  action: 'replay' | 'discard' | 'retry-now'
  /** The dead letters to walk through. */
  deadLetters: JobList
  queue: DeadLetterQueue
  filter: DeadLetterFilter
  options: BulkOptions
  move: Move
  /** Removes a dead letter that the ledger has settled; absent where the ledger says nothing of them. */
  sweep?: (eventId: string) => Promise<unknown>
}

type Moved = { matched: number; moved: number; skipped: number }

/**
 * Counts what matches, then walks through it once more and moves it. Dead letters that die meanwhile, the replayed ones
 * among them, lie behind the end of the walk. Two at once share the dead letters: each is moved by one, and skipped by
 * the other.
 */
export async function bulk(ledger: Ledger, request: Bulk): Promise<Moved> {
  const { filter, options, deadLetters, sweep } = request
  demandParts(filter)
  const upTo = await deadLetters.end()
  const range: Range = { after: null, upTo, ledger: !sweep ? 'unasked' : options.dryRun ? 'asked' : 'required' }
  const matched = upTo ? await countOf(walk(deadLetters, ledger, filter, range)) : 0
  if (options.dryRun || matched === 0) return { matched, moved: 0, skipped: 0 }
  const mirror = ledger.required
  const actionId = await mirror.beginAction(actionOf({ ...request, actor: options.actor }))
  const progress = { handled: 0, moved: 0, isComplete: false }
  try {
    await moveAll(walk(deadLetters, ledger, filter, range), matched, request, progress)
  } finally {
    const { moved, isComplete } = progress
    const counts = { matched, [PAST[request.action]]: moved, skipped: skippedOf(matched, progress) }
    // The audit has the progress of a failed action; the caller must learn of the failure.
    await mirror.recordCounts(actionId, counts, isComplete).catch((error: unknown) => {
      if (isComplete) throw error
    })
  }
  return { matched, moved: progress.moved, skipped: skippedOf(matched, progress) }
}

const PAST = { replay: 'replayed', discard: 'discarded', 'retry-now': 'retried' } as const

type Progress = { handled: number; moved: number; isComplete: boolean }

/** Dead letters that somebody else moved before their turn came are not met any more, or met too late. */
const skippedOf = (matched: number, { handled, moved, isComplete }: Progress) =>
  Math.max(0, (isComplete ? matched : handled) - moved)

async function countOf(pages: AsyncIterable<WalkedPage>): Promise<number> {
  let count = 0
  for await (const page of pages) count += page.deadLetters.length
  return count
}

async function moveAll(
  pages: AsyncIterable<WalkedPage>,
  matched: number,
  { options, move, sweep }: Bulk,
  progress: Progress,
): Promise<void> {
  const { ratePerS, signal, onProgress } = options
  const chunk =
    ratePerS === undefined ? BULK_CHUNK : Math.min(BULK_CHUNK, Math.max(1, Math.ceil(ratePerS / RATE_STEPS)))
  const beganAtMs = performance.now()
  for await (const page of pages) {
    // Removed on the way: a dead letter with a decided event needs no operator any more.
    for (const id of page.settled) await sweep?.(id)
    for (let from = 0; from < page.deadLetters.length; from += chunk) {
      if (ratePerS !== undefined) await untilTurn(beganAtMs + (progress.handled / ratePerS) * 1000, signal)
      if (signal?.aborted) return
      const some = page.deadLetters.slice(from, from + chunk).map(({ deadLetter }) => deadLetter)
      progress.moved += await move(some)
      progress.handled += some.length
      onProgress?.(progress.handled, Math.max(matched, progress.handled))
    }
  }
  progress.isComplete = true
  onProgress?.(matched, matched)
}

async function untilTurn(atMs: number, signal: AbortSignal | undefined): Promise<void> {
  const waitMs = atMs - performance.now()
  if (waitMs > 0) await pause(waitMs, undefined, signal && { signal }).catch(() => {})
}

type ForRecord = Pick<Bulk, 'queue' | 'filter'> & Pick<NewAction, 'action' | 'actor'>

export function actionOf({ action, queue, filter, actor }: ForRecord): NewAction {
  const [onlyId, ...otherIds] = filter.ids ?? []
  const subjectId = otherIds.length === 0 && onlyId !== undefined ? onlyId : (filter.objectId ?? null)
  return {
    actor,
    action,
    subjectId: ascii(subjectId, 64),
    details: JSON.stringify({ ...(queue !== 'events' && { queue }), filter: forRecord(filter) }),
  }
}

/** Every list of actions reads this, so it stays short: of many ids the first few and their number. */
function forRecord({ ids, ...parts }: DeadLetterFilter): object {
  const texts = Object.entries(parts).map(([name, part]) => [
    name,
    typeof part === 'string' ? part.slice(0, RECORDED_CHARS_MAX) : part,
  ])
  const named = ids?.slice(0, RECORDED_IDS_MAX).map((id) => id.slice(0, RECORDED_CHARS_MAX))
  const more = (ids?.length ?? 0) - (named?.length ?? 0)
  return { ...(named && { ids: named }), ...(more > 0 && { moreIds: more }), ...Object.fromEntries(texts) }
}
