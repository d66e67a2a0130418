/** The counts of a run, over all its rounds and interruptions: plain JSON. */
export type Totals = {
  /** Requests, tries again and duplicates included. */
  sent: number
  /** 202. */
  accepted: number
  /** Anything else, by status and code: `503 redis_unavailable`. */
  refused: Record<string, number>
  /** No answer at all: the event's fate is unknown. */
  unanswered: number
  /** Different events that were accepted. */
  events: number
  /** Events that the ledger has decided. */
  applied: number
  /** Deliveries of waiting or running events. */
  duplicates: number
  /** Deliveries of decided events. */
  decidedAgain: number
  /** Deliveries that revived a dead letter. */
  revived: number
  discarded: number
  replayed: number
  lost: number
  wrong: number
  deadLetters: number
  /** Changes that require a webhook, those without one, and webhooks of changes that never happened. */
  changes: number
  untold: number
  invented: number
  toldTwice: number
  snapshots: number
  breakersOpened: number
  /** Processes that ended by themselves, and were started again. */
  selfExits: Record<string, number>
  faults: Record<string, FaultTotals>
  promises: Record<string, PromiseTotals>
  passed: number
  failed: number
}

/** `longestMs`: from the fault's end until the part that it hit had accepted and applied an event again. */
export type FaultTotals = { injected: number; longestMs: number }

/** A bound that the documents promise, and the longest that was seen. `late`: how often it took over fourfold. */
export type PromiseTotals = { promisedMs: number; longestMs: number; times: number; late: number }

/** The machine may be busy with something else. */
const SLACK = 4

export const noTotals = (): Totals => ({
  ...{ sent: 0, accepted: 0, refused: {}, unanswered: 0, events: 0, applied: 0, duplicates: 0, decidedAgain: 0 },
  ...{ revived: 0, discarded: 0, replayed: 0, lost: 0, wrong: 0, deadLetters: 0, snapshots: 0, breakersOpened: 0 },
  ...{ changes: 0, untold: 0, invented: 0, toldTwice: 0 },
  ...{ selfExits: {}, faults: {}, promises: {}, passed: 0, failed: 0 },
})

export function increase(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1
}

export function recordFault(totals: Totals, kind: string, recoveryMs: number): void {
  const { injected, longestMs } = totals.faults[kind] ?? { injected: 0, longestMs: 0 }
  totals.faults[kind] = { injected: injected + 1, longestMs: Math.max(longestMs, Math.round(recoveryMs)) }
}

export function recordPromise(totals: Totals, name: string, promisedMs: number, tookMs: number): void {
  const { times, longestMs, late } = totals.promises[name] ?? { times: 0, longestMs: 0, late: 0 }
  const isLate = tookMs > SLACK * promisedMs
  totals.promises[name] = {
    promisedMs,
    times: times + 1,
    late: late + Number(isLate),
    longestMs: Math.max(longestMs, Math.round(tookMs)),
  }
}
