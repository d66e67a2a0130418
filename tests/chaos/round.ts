import { setTimeout as pause } from 'node:timers/promises'
import { seededRandom } from '../../packages/devstack/src/random.js'
import { until } from '../support/until.js'
import type { Check } from './check.js'
import { faultAt } from './faults/schedule.js'
import { editSome } from './load/application-data.js'
import { Stream } from './load/stream.js'
import { Traffic } from './load/traffic.js'
import { checkQuiet } from './oracle/checks.js'
import { expectDiscarded, expectWorlds } from './oracle/expected.js'
import { openWatch } from './oracle/watch.js'
import type { Fault, Scene } from './stage/scene.js'
import type { Stage } from './stage/stage.js'
import { recordFault } from './totals.js'

export type RoundOptions = {
  seed: number
  round: number
  /** Of the first fault of this round in the run's schedule. */
  faultIndex: number
  durationMs: number
  kinds: readonly Fault[]
  perSecond: number
  cursedShare: number
  quietWithinMs: number
  atLeast: number
  reserve: (taken: number) => void
  say: (line: string) => void
  signal: AbortSignal
}

export type RoundResult = { checks: Check[]; taken: number; faultIndex: number }

const GAP_MS = 500
const RECOVERED_WITHIN_MS = 120_000
const SENT_AGAIN = 60

/** Load and faults, then quiet, then every check. */
export async function runRound(stage: Stage, options: RoundOptions): Promise<RoundResult> {
  const { seed, round, say, quietWithinMs } = options
  const { sender, deadLetters, fleet, site, totals } = stage
  const random = seededRandom(seed * 7_919 + round)
  const stream = streamOf(options)
  const violations: string[] = []
  const watch = openWatch(site, fleet)
  const traffic = new Traffic({ ...options, stream, sender, deadLetters, random })
  const scene: Scene = {
    ...stage,
    trapped: new Set(),
    nextEventId: traffic.nextEventId,
    violated: (what, found) => violations.push(`${what}: ${found}`),
  }
  const faultIndex = await injectFaults(scene, options, () => editSome(site.adminUrl, stage.own, stream))
  await traffic.end()
  say(`round ${round}: ${traffic.taken} events, ${faultIndex - options.faultIndex} faults; waiting for quiet`)
  const unquiet = await whenQuiet(stage, quietWithinMs)
  const { halfCommitted, beyondBounds } = await watch.end()
  totals.snapshots += watch.snapshots()
  expectWorlds(stage.expected, stream.delivered)
  expectDiscarded(stage.expected, deadLetters.discarded)
  for (const userId of stage.own.keys()) if (stage.expected.objects.get(userId)?.deleted) stage.own.delete(userId)
  const checks: Check[] = [
    { name: 'promises are kept', found: violations },
    { name: 'everything comes to rest', found: unquiet },
    {
      name: 'I5 rows and ledger commit together',
      as: 'wrong',
      found: halfCommitted.map(({ object, what }) => `${object}: ${what}`),
    },
    { name: 'I5 was looked at', found: watch.snapshots() === 0 ? ['no snapshot was taken'] : [] },
    { name: 'I6 forgeries are refused', found: traffic.forgedAnswers.map((status) => `answered ${status}`) },
    { name: 'I8 bounds hold', found: beyondBounds },
    { name: 'an outage uses no attempts', found: attemptsSpent(scene) },
  ]
  const deliverAgain = async () => {
    // Without rest there is no before and after.
    if (unquiet.length > 0) return
    const events = random.shuffled(stream.delivered.flat()).slice(0, SENT_AGAIN)
    await Promise.all(events.map((event) => sender.deliver(event)))
    await until(async () => (await isDrained(stage)) && (await stage.listener.isAtRest()), quietWithinMs)
  }
  checks.push(...(await checkQuiet({ ...scene, ...stage, forged: traffic.forged, deliverAgain })))
  totals.events += stage.journal.acceptedIds().length
  stage.journal.clear()
  return { checks, taken: traffic.taken, faultIndex }
}

export const streamOf = ({ seed, round, cursedShare }: Pick<RoundOptions, 'seed' | 'round' | 'cursedShare'>) =>
  new Stream({ seed: seed * 104_729 + round, cursedShare })

async function injectFaults(scene: Scene, options: RoundOptions, between: () => Promise<void>): Promise<number> {
  const { kinds, seed, durationMs, signal, say } = options
  const endAtMs = performance.now() + durationMs
  let index = options.faultIndex
  while (performance.now() < endAtMs && !signal.aborted) {
    const { fault, random } = faultAt(kinds, seed, index)
    index += 1
    scene.sender.isTimed = fault.slowsDoors !== true
    const { endedAtMs, ...part } = await fault.inject(scene, random)
    const tookMs = await scene.journal.recovery(endedAtMs, part, RECOVERED_WITHIN_MS)
    if (tookMs === null) scene.violated(`recovery from "${fault.name}"`, `not within ${RECOVERED_WITHIN_MS / 1000} s`)
    recordFault(scene.totals, fault.name, tookMs ?? RECOVERED_WITHIN_MS)
    say(`  ${fault.name}: ${tookMs === null ? 'not recovered' : `recovered after ${Math.round(tookMs)} ms`}`)
    await pause(GAP_MS)
    scene.sender.isTimed = true
    if (index === options.faultIndex + 1) await between()
  }
  return index
}

/** Contention is no outage: an event that outlasts its tries in the worker uses up an attempt, by design. */
const CONTENTION = /^mysql_1213$/

function attemptsSpent({ journal, trapped }: Scene): string[] {
  const spent = journal.attemptsSpent.filter(({ eventId, code }) => !trapped.has(eventId) && !CONTENTION.test(code))
  return spent.map(({ eventId, code }) => `${eventId} ${code}`)
}

/** The unfinished work after a long wait; empty when all is quiet. */
async function whenQuiet(stage: Stage, withinMs: number): Promise<string[]> {
  const { fleet, sender, deadLetters, listener } = stage
  try {
    await fleet.ready(withinMs)
    await until(
      async () => sender.open + deadLetters.open === 0 && (await isDrained(stage)) && (await listener.isAtRest()),
      withinMs,
    )
    return []
  } catch (error) {
    const open = `${sender.open} events not accepted, ${deadLetters.open} letters open`
    return [`${open}, queue ${JSON.stringify(await stage.counts().catch(String))}: ${error}`]
  }
}

async function isDrained(stage: Stage): Promise<boolean> {
  const { wait, active, delayed } = await stage.counts()
  return wait + active + delayed === 0
}
