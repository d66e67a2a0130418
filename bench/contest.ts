import type { Contestant, Score } from './contestant.js'
import type { CpuTimes } from './cpu.js'
import type { Stage } from './stage.js'
import { median } from './statistics.js'
import { freshSeed, ordinaryTraffic } from './traffic.js'

/** How long a round is meant to last; each contestant gets as many events as it does in that time. */
export type ContestOptions = { rounds: number; roundMs: number; say: (line: string) => void }

export type Scores<Name extends string> = Readonly<Record<Name, readonly Score[]>>

/** Events with which a contestant warms up, and shows how fast it is. */
const WARM_UP = 2_000
const FEWEST = 500

/**
 * Lets the contestants run one after the other, round by round, so that the machine's other work falls on all of them.
 * Each run is on events of its own, on empty tables and an empty queue.
 */
export async function contest<Name extends string>(
  stage: Stage,
  contestants: Readonly<Record<Name, Contestant>>,
  { rounds, roundMs, say }: ContestOptions,
): Promise<Scores<Name>> {
  const names = Object.keys(contestants) as Name[]
  const sizes = new Map<Name, number>()
  const scores = Object.fromEntries(names.map((name) => [name, [] as Score[]])) as Record<Name, Score[]>
  const run = async (name: Name, events: number) => {
    await stage.clear()
    return contestants[name](ordinaryTraffic(events, freshSeed()))
  }
  for (const name of names) {
    await run(name, WARM_UP)
    const { perS } = await run(name, WARM_UP)
    sizes.set(name, Math.max(FEWEST, Math.round((perS * roundMs) / 1_000)))
    say(`warm: ${name}, ${Math.round(perS)} a second`)
  }
  for (let round = 1; round <= rounds; round += 1) {
    say(`round ${round} of ${rounds}`)
    for (const name of names) scores[name].push(await run(name, sizes.get(name) ?? WARM_UP))
  }
  return scores
}

export const perSecond = (scores: readonly Score[]): number[] => scores.map(({ perS }) => perS)

/** The better of two ways to run a reference, round by round. */
export const bestOf = (one: readonly Score[], other: readonly Score[]): Score[] =>
  one.map((score, round) => {
    const rival = other[round]
    return rival && rival.perS > score.perS ? rival : score
  })

/** Medians of the CPU time per event of each process. */
export function cpuOf(scores: readonly Score[]): CpuTimes {
  const names = Object.keys(scores[0]?.cpuUs ?? {})
  return Object.fromEntries(names.map((name) => [name, median(scores.map(({ cpuUs }) => cpuUs[name] ?? 0))]))
}
