import { openLog } from '@clerk-mirror/runtime'
import { expect, test } from 'vitest'
import { UNSIGNED_LINES_MAX, UNSIGNED_MAX, UNSIGNED_MS } from '../../../apps/ingest/src/limits.js'
import { UnsignedRequests } from '../../../apps/ingest/src/unsigned-requests.js'

test('a flood from more networks than anybody can count fills no log, and a minute later refusals are logged again', () => {
  let nowMs = 0
  const lines: string[] = []
  const log = openLog({ app: 'test', level: 'info', pretty: false, write: (line) => void lines.push(line) })
  const unsigned = new UnsignedRequests(() => nowMs, log)
  const decisions = Array.from({ length: 3 * UNSIGNED_LINES_MAX }, (_, network) =>
    unsigned.judge([], `2001:db8:${network.toString(16)}::1`),
  )
  for (const decision of decisions) expect(decision).toEqual({ kind: 'refused', code: 'missing_header' })
  expect(lines).toHaveLength(UNSIGNED_LINES_MAX + 1)
  expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ event: 'ingest.junk', address: 'everybody' })

  nowMs += UNSIGNED_MS
  for (let count = 0; count < 2 * UNSIGNED_MAX; count += 1) unsigned.judge([], '192.0.2.1')
  const after = lines.slice(UNSIGNED_LINES_MAX + 1).map((line) => JSON.parse(line))
  expect(after).toHaveLength(UNSIGNED_MAX + 1)
  expect(after.at(-1)).toMatchObject({ event: 'ingest.junk', address: '192.0.2.1' })
})
