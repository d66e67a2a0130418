import { randomInt } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { expect, inject, test } from 'vitest'
import { runCampaign } from './campaign.js'
import { generate } from './generate.js'
import { openSite } from './site.js'

const KEPT = fileURLToPath(new URL('../../.data/simulation', import.meta.url))
const SECOND_MS = 1_000
/** Leaves room in the minute that a test may take for the last history; shrinking has the rest of the next one. */
const BUDGET_MS = 40 * SECOND_MS
const SHRINK_MS = 60 * SECOND_MS
const GREATEST_SEED = 2 ** 40

test('the same seed gives the same history, and the next seed another', () => {
  expect(generate(7)).toEqual(generate(7))
  expect(generate(7).events).not.toEqual(generate(8).events)
})

test(
  'the tables are right after every history of users and organizations, whatever happens to its deliveries',
  async () => {
    const seed = randomInt(GREATEST_SEED)
    process.stdout.write(`simulation from seed ${seed}\n`)
    await using site = await openSite(inject('databaseUrl'))
    const result = await runCampaign(site, { seed, durationMs: BUDGET_MS, shrinkMs: SHRINK_MS, folder: KEPT })
    process.stdout.write(`${result.histories} histories on ${site.serverVersion}\n`)
    expect(result.failure?.story ?? 'no violation').toBe('no violation')
  },
  BUDGET_MS + 2 * SHRINK_MS,
)
