import { setTimeout as pause } from 'node:timers/promises'
import { type Difference, differences } from './differences.js'
import { expectedTables } from './model.js'
import { type SendReport, send } from './sender.js'
import type { Tables } from './tables.js'
import type { Traffic } from './traffic.js'

export interface RunOptions {
  /** The full address, `http://…/webhooks/clerk`. */
  url: string
  signingSecret: string
  tables: Tables
  concurrency: number
  rate?: number
  /** `own users`: the tables may hold others too. `everything`: they must hold nothing else. */
  compare: 'own users' | 'everything'
  /** When aborted, sending or waiting ends soon, and nothing is compared. */
  signal: AbortSignal
  onProgress: (progress: Progress) => void
}

export type Progress =
  | { step: 'send'; done: number; of: number; retries: number }
  | { step: 'apply'; done: number; of: number }

export interface RunResult {
  sent: SendReport
  deliveries: number
  events: number
  /** From the first request until the last event was in the ledger, as far as it got there. */
  tookMs: number
  /** How many events had each outcome. */
  outcomes: Map<string, number>
  /** Events without a row in the ledger, after waiting. */
  missing: string[]
  differences: Difference[]
  stopped: boolean
}

/** A stall of this length fails the run: it covers a database that is away for a minute, and the worker's recovery. */
const STUCK_AFTER_MS = 120_000
/** Each poll is a query for the missing events, on the database under load. */
const LOOK_EVERY_MS = 200

/** Sends the traffic, waits until every event was decided, and compares the tables with the model. */
export async function runTraffic(traffic: Traffic, options: RunOptions): Promise<RunResult> {
  const startedAtMs = performance.now()
  const { deliveries, events } = traffic
  const sent = await send(deliveries, {
    ...options,
    onDelivered: (done, retries) => options.onProgress({ step: 'send', done, of: deliveries.length, retries }),
  })
  const expected = expectedTables(deliveries)
  const result: RunResult = {
    ...{ sent, deliveries: deliveries.length, events, tookMs: sent.tookMs },
    ...{ outcomes: new Map<string, number>(), missing: [], differences: [], stopped: options.signal.aborted },
  }
  if (result.stopped || sent.refused.length > 0) return result

  const decided = await waitForLedger(expected.eventIds, options)
  result.tookMs = performance.now() - startedAtMs
  for (const outcome of decided.values()) result.outcomes.set(outcome, (result.outcomes.get(outcome) ?? 0) + 1)
  result.missing = [...expected.eventIds].filter((id) => !decided.has(id))
  result.stopped = options.signal.aborted
  if (result.stopped) return result

  const own = [...expected.objects.keys()]
  result.differences = differences(
    expected,
    await options.tables.read(options.compare === 'everything' ? undefined : own),
  )
  if (options.compare === 'everything') result.differences.push(...(await strayLedgerRows(events, options.tables)))
  return result
}

async function waitForLedger(eventIds: ReadonlySet<string>, options: RunOptions): Promise<Map<string, string>> {
  const decided = new Map<string, string>()
  let movedAtMs = performance.now()
  let unreadable: unknown
  while (!options.signal.aborted) {
    const open = [...eventIds].filter((id) => !decided.has(id))
    // The database may be away for a while: a simulation may also show that the mirror survives that.
    const found = await options.tables.outcomesOf(open).catch((error: unknown) => {
      unreadable = error
      return new Map<string, string>()
    })
    for (const [id, outcome] of found) decided.set(id, outcome)
    if (found.size > 0) movedAtMs = performance.now()
    options.onProgress({ step: 'apply', done: decided.size, of: eventIds.size })
    if (decided.size === eventIds.size) return decided
    if (performance.now() - movedAtMs > STUCK_AFTER_MS) {
      if (decided.size === 0 && unreadable !== undefined) throw unreadable
      return decided
    }
    await pause(LOOK_EVERY_MS, undefined, { signal: options.signal }).catch(() => undefined)
  }
  return decided
}

async function strayLedgerRows(events: number, tables: Tables): Promise<Difference[]> {
  const rows = await tables.ledgerRows()
  if (rows === events) return []
  return [{ clerkId: '-', column: 'webhook_events', expected: `${events} rows`, found: `${rows} rows` }]
}
