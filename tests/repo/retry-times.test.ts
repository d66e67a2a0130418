import { expect, test } from 'vitest'
import { EVENTS_PACE, type Pace, REACTION_PACE } from '../../packages/queue/src/consume/consumer-profile.js'
import { RETRY_JITTER } from '../../packages/queue/src/limits.js'
import { table, withPart } from './markdown.js'
import { fromRoot, read } from './tree.js'

const DOCUMENT = 'docs/errors.md'

/** `2 h 36 min`, to the minute from an hour on. */
function duration(ms: number): string {
  const seconds = Math.round(ms / 1000)
  const parts: [number, string][] = [
    [Math.floor(seconds / 3600), 'h'],
    [Math.floor((seconds % 3600) / 60), 'min'],
    [seconds >= 3600 ? 0 : seconds % 60, 's'],
  ]
  return parts.flatMap(([count, unit]) => (count > 0 ? [`${count} ${unit}`] : [])).join(' ')
}

/** Milliseconds from the first try to each further one, where each delay is this share of the table's. */
function sums({ retryDelaysMs }: Pace, share: number): number[] {
  let atMs = 0
  return retryDelaysMs.map((delayMs) => {
    atMs += delayMs * share
    return atMs
  })
}

function timesTable(pace: Pace): string {
  const [soonest, latest] = [sums(pace, 1 - RETRY_JITTER), sums(pace, 1 + RETRY_JITTER)]
  const rows = sums(pace, 1).map((atMs, index) => [
    ...[String(index + 2), duration(pace.retryDelaysMs[index] ?? 0)],
    ...[atMs, soonest[index] ?? 0, latest[index] ?? 0].map(duration),
  ])
  return table(['try', 'after', 'since the first', 'at the soonest', 'at the latest'], rows)
}

test('docs/errors.md has the times of all tries, with running sums', async () => {
  const withEvents = withPart(read(DOCUMENT), 'event-retries', timesTable(EVENTS_PACE))
  const expected = withPart(withEvents, 'reaction-retries', timesTable(REACTION_PACE))
  await expect(expected).toMatchFileSnapshot(fromRoot(DOCUMENT))
})
