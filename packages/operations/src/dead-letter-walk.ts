import type { DeadLetterCursor, JobList, ListedDeadLetter } from '@clerk-mirror/queue/operate'
import { comesAfter } from '@clerk-mirror/queue/operate'
import { type DeadLetterFilter, idsOf, matches } from './dead-letter-filter.js'
import type { Ledger } from './ledger.js'

/** Some of the dead letters that match, in order, and the ids of those that would, but which the ledger has settled. */
export type WalkedPage = { deadLetters: ListedDeadLetter[]; settled: string[] }

export type Range = {
  after: DeadLetterCursor | null
  upTo: DeadLetterCursor | null
  /**
   * `required` ends with the ledger's failure instead of taking its settled dead letters for living ones; `unasked`
   * takes all for living.
   */
  ledger?: 'required' | 'asked' | 'unasked'
}

/** Through the dead letters behind `after` and up to `upTo`, a page at a time, in constant memory. */
export async function* walk(
  deadLetters: Pick<JobList, 'next' | 'among'>,
  ledger: Ledger,
  filter: DeadLetterFilter,
  { after, upTo, ledger: use = 'asked' }: Range,
): AsyncGenerator<WalkedPage> {
  for await (const page of pagesOf(deadLetters, filter, after)) {
    const reached = upTo ? page.filter(({ cursor }) => !comesAfter(cursor, upTo)) : page
    const matching = reached.filter(({ deadLetter }) => matches(filter, deadLetter))
    const settled = await settledAmong(ledger, matching, use)
    yield { deadLetters: matching.filter(({ deadLetter }) => !settled.has(deadLetter.id)), settled: [...settled] }
    if (reached.length < page.length) return
  }
}

async function* pagesOf(
  deadLetters: Pick<JobList, 'next' | 'among'>,
  { ids, sinceMs }: DeadLetterFilter,
  after: DeadLetterCursor | null,
): AsyncGenerator<ListedDeadLetter[]> {
  if (ids) {
    const found = await deadLetters.among([...new Set(ids.flatMap(idsOf))])
    yield after ? found.filter(({ cursor }) => comesAfter(cursor, after)) : found
    return
  }
  // Before all ids of that millisecond.
  let from = after ?? (sinceMs === undefined ? null : { partition: 0, failedAtMs: sinceMs, id: '' })
  for (;;) {
    const page = await deadLetters.next(from)
    const last = page.at(-1)
    if (!last) return
    yield page
    from = last.cursor
  }
}

async function settledAmong(
  ledger: Ledger,
  matching: readonly ListedDeadLetter[],
  use: Range['ledger'],
): Promise<Set<string>> {
  if (matching.length === 0 || use === 'unasked') return new Set()
  const ids = matching.map(({ deadLetter }) => deadLetter.id)
  if (use === 'required') return ledger.required.decidedAmong(ids)
  return (await ledger.ask((mirror) => mirror.decidedAmong(ids))) ?? new Set()
}
