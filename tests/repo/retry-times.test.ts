import { expect, test } from 'vitest'
import {
  type ConsumerProfile,
  EVENT_CONSUMER_PROFILE,
  REACTION_CONSUMER_PROFILE,
} from '../../packages/queue/src/consume/consumer-profile.js'
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

function timesTable({ retries }: ConsumerProfile): string {
  const rows = retries.map(({ delayMs, sinceFirstMs, outlasts }, index) => {
    const times = [delayMs, sinceFirstMs, sinceFirstMs * (1 - RETRY_JITTER), sinceFirstMs * (1 + RETRY_JITTER)]
    return [String(index + 2), ...times.map(duration), outlasts]
  })
  return table(['try', 'after', 'since the first', 'at the soonest', 'at the latest', 'outlasts'], rows)
}

test('docs/errors.md has the times of all tries, with running sums', async () => {
  const withEvents = withPart(read(DOCUMENT), 'event-retries', timesTable(EVENT_CONSUMER_PROFILE))
  const expected = withPart(withEvents, 'reaction-retries', timesTable(REACTION_CONSUMER_PROFILE))
  await expect(expected).toMatchFileSnapshot(fromRoot(DOCUMENT))
})
