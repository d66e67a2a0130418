import type { Check } from './check.js'
import { expectDiscarded, expectWorlds } from './oracle/expected.js'
import { runRound, streamOf } from './round.js'
import type { Fault } from './stage/scene.js'
import { openStage } from './stage/stage.js'
import type { RunState } from './state.js'

export type CampaignOptions = {
  /** Changed as the run goes on. */
  state: RunState
  /** Holds the servers' data and the processes' logs. */
  folder: string
  /** Of the build that is tried. */
  root: string
  kinds: readonly Fault[]
  perSecond?: number
  cursedShare?: number
  /** Milliseconds until an event that has not come to rest counts as stuck. */
  quietWithinMs?: number
  /** A round is over and its state worth keeping. */
  keep: () => void
  say: (line: string) => void
  signal: AbortSignal
}

export type CampaignResult = { failures: Check[]; versions: string }

const ROUND_MS = 65_000
/** So long a round's quiet and its checks take at the least: a shorter rest is not begun. */
const QUIET_MS = 15_000

/** Runs rounds until the time is over, an interruption, or the first failed check. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const { state, signal, say, keep, perSecond = 50, cursedShare = 0.02, quietWithinMs = 240_000 } = options
  const { seed, totals } = state
  await using stage = await openStage({ ...options, seed, totals })
  const { versions } = stage.site
  const kinds = options.kinds.filter(({ isPossible }) => isPossible?.(stage.site) ?? true)
  for (const [round, taken] of state.taken.entries()) {
    const stream = streamOf({ seed, round, cursedShare })
    const poisoned: string[] = []
    for (let count = 0; count < taken; count += 1) {
      const item = stream.next()
      if (item.kind === 'poison') poisoned.push(item.broken.eventId)
    }
    stream.rest()
    expectWorlds(stage.expected, stream.delivered)
    expectDiscarded(stage.expected, poisoned)
  }
  const beforeMs = state.elapsedMs
  const startedMs = performance.now()
  const leftMs = () => state.minutes * 60_000 - beforeMs - (performance.now() - startedMs)
  while (leftMs() > 2 * QUIET_MS && !signal.aborted) {
    const { checks, taken, faultIndex } = await runRound(stage, {
      ...{ seed, perSecond, cursedShare, quietWithinMs, kinds, say, signal },
      round: state.taken.length,
      faultIndex: state.faultIndex,
      durationMs: Math.min(ROUND_MS, leftMs() - QUIET_MS),
      atLeast: state.reserved,
      reserve: (count) => {
        state.reserved = Math.max(state.reserved, count)
        keep()
      },
    })
    const failures = checks.filter(({ found }) => found.length > 0)
    count(state, checks)
    say(`round ${state.taken.length}: ${checks.length - failures.length} checks passed, ${failures.length} failed`)
    if (failures.length > 0) return { failures, versions }
    state.elapsedMs = beforeMs + (performance.now() - startedMs)
    Object.assign(state, { faultIndex, reserved: 0, taken: [...state.taken, taken] })
    keep()
  }
  const [ledger] = await stage.site.query<{ rows: bigint }>('SELECT COUNT(*) AS `rows` FROM webhook_events')
  totals.applied = Number(ledger?.rows ?? 0)
  return { failures: overdue(state), versions }
}

function count({ totals }: RunState, checks: readonly Check[]): void {
  for (const { found, as } of checks) {
    if (found.length === 0) totals.passed += 1
    else totals.failed += 1
    if (as) totals[as] += found.length
  }
}

/** Of thousands of answers some come from a process that a busy machine has starved for seconds. */
const LATE_SHARE = 1 / 500

function overdue({ totals }: RunState): Check[] {
  const checks = Object.entries(totals.promises).map(([name, { promisedMs, longestMs, times, late }]) => ({
    name: `${name} within ${promisedMs} ms`,
    found: late > times * LATE_SHARE ? [`${late} of ${times} took over fourfold, up to ${longestMs} ms`] : [],
  }))
  const failures = checks.filter(({ found }) => found.length > 0)
  totals.passed += checks.length - failures.length
  totals.failed += failures.length
  return failures
}
