import type { JobList, LetterPlace, PlacedLetter } from '@clerk-mirror/queue'
import { isBehind } from '@clerk-mirror/queue'
import { type DeadLetterFilter, idsOf, matches } from './dead-letter-filter.js'
import type { Ledger } from './ledger.js'

/** Some of the letters that match, in order, and the ids of those that would, but which the ledger has settled. */
export type WalkedPage = { letters: PlacedLetter[]; settled: string[] }

export type Range = {
  after: LetterPlace | null
  upTo: LetterPlace | null
  /**
   * `required` ends with the ledger's failure instead of taking its settled letters for living ones; `unasked` takes all
   * for living.
   */
  ledger?: 'required' | 'asked' | 'unasked'
}

/** Through the letters behind `after` and up to `upTo`, a page at a time, in constant memory. */
export async function* walk(
  letters: Pick<JobList, 'next' | 'among'>,
  ledger: Ledger,
  filter: DeadLetterFilter,
  { after, upTo, ledger: use = 'asked' }: Range,
): AsyncGenerator<WalkedPage> {
  for await (const page of pagesOf(letters, filter, after)) {
    const reached = upTo ? page.filter(({ place }) => !isBehind(place, upTo)) : page
    const matching = reached.filter(({ letter }) => matches(filter, letter))
    const settled = await settledAmong(ledger, matching, use)
    yield { letters: matching.filter(({ letter }) => !settled.has(letter.id)), settled: [...settled] }
    if (reached.length < page.length) return
  }
}

async function* pagesOf(
  letters: Pick<JobList, 'next' | 'among'>,
  { ids, sinceMs }: DeadLetterFilter,
  after: LetterPlace | null,
): AsyncGenerator<PlacedLetter[]> {
  if (ids) {
    const found = await letters.among([...new Set(ids.flatMap(idsOf))])
    yield after ? found.filter(({ place }) => isBehind(place, after)) : found
    return
  }
  // Before all ids of that millisecond.
  let from = after ?? (sinceMs === undefined ? null : { partition: 0, failedAtMs: sinceMs, id: '' })
  for (;;) {
    const page = await letters.next(from)
    const last = page.at(-1)
    if (!last) return
    yield page
    from = last.place
  }
}

async function settledAmong(
  ledger: Ledger,
  matching: readonly PlacedLetter[],
  use: Range['ledger'],
): Promise<Set<string>> {
  if (matching.length === 0 || use === 'unasked') return new Set()
  const ids = matching.map(({ letter }) => letter.id)
  if (use === 'required') return ledger.required.decidedAmong(ids)
  return (await ledger.ask((mirror) => mirror.decidedAmong(ids))) ?? new Set()
}
