import type { History } from './history.js'

/** Whether a history still shows the violation that is looked for. */
export type StillFails = (candidate: History) => Promise<boolean>

/**
 * Shrinks a failing history as long as it fails: without disturbances first, then repeated deliveries, then events, in
 * ever smaller groups. Returns the smallest that failed when the time was over.
 */
export async function shrink(history: History, stillFails: StillFails, deadlineMs: () => number): Promise<History> {
  let smallest = history
  for (const simpler of [undisturbed, withoutEdits, eachOnce, oneByOne]) {
    const candidate = simpler(smallest)
    if (Date.now() < deadlineMs() && (await stillFails(candidate))) smallest = candidate
  }
  for (let size = Math.ceil(history.events.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let from = 0; from < smallest.events.length; ) {
      if (Date.now() >= deadlineMs()) return smallest
      const dropped = smallest.events.slice(from, from + size).map(({ eventId }) => eventId)
      const candidate = withoutEvents(smallest, new Set(dropped))
      if (await stillFails(candidate)) smallest = candidate
      else from += size
    }
  }
  return smallest
}

const undisturbed = (history: History): History => ({
  ...history,
  rounds: history.rounds.map((round) => ({ ...round, rebuilds: false, kills: 0, missingTable: null })),
})

const withoutEdits = (history: History): History => ({
  ...history,
  rounds: history.rounds.map((round) => ({ ...round, edits: [] })),
})

/** Only the first delivery of each event. */
function eachOnce(history: History): History {
  const seen = new Set<string>()
  const isFirst = (eventId: string) => {
    const before = seen.size
    return seen.add(eventId).size > before
  }
  return keeping(history, isFirst)
}

/** One delivery after the other: a history that still fails has no race. */
const oneByOne = (history: History): History => ({
  ...history,
  rounds: history.rounds.flatMap((round) =>
    round.deliveries.map((delivery, index) => ({
      ...round,
      deliveries: [delivery],
      edits: index === 0 ? round.edits : [],
    })),
  ),
})

function withoutEvents(history: History, dropped: ReadonlySet<string>): History {
  const events = history.events.filter(({ eventId }) => !dropped.has(eventId))
  return { ...keeping(history, (eventId) => !dropped.has(eventId)), events }
}

function keeping(history: History, keeps: (eventId: string) => boolean): History {
  const rounds = history.rounds.map((round) => ({
    ...round,
    deliveries: round.deliveries
      .map((delivery) => ({ ...delivery, eventIds: delivery.eventIds.filter(keeps) }))
      .filter(({ eventIds }) => eventIds.length > 0),
  }))
  return { ...history, rounds: rounds.filter(({ deliveries, edits }) => deliveries.length + edits.length > 0) }
}
