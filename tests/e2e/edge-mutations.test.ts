import { randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { runEdgeCampaign } from '../edge/campaign.js'
import { openEdgeSite } from '../edge/site.js'

const GREATEST_SEED = 2 ** 40
const REQUESTS = 2000
/** `npm run test:edge` is the long run, which also looks at the memory. */
const PATIENCE_MS = 180_000

test(
  'whatever is made of a signed request, ingest stays up, answers in its own words, and lets in what is signed',
  async ({ annotate }) => {
    const seed = randomInt(GREATEST_SEED)
    process.stdout.write(`mutations from seed ${seed}\n`)
    await using site = await openEdgeSite({ TRUST_PROXY: 'loopback' })
    const { violations, ...result } = await runEdgeCampaign(site, { seed, requests: REQUESTS })
    await annotate(JSON.stringify(result))
    expect(violations).toEqual([])
    expect(result.sent).toBe(REQUESTS)
    // Mutants that are none, and those of every other kind: else nothing much was tried.
    expect(Object.keys(result.tally)).toEqual(
      expect.arrayContaining(['accepted', 'invalid_signature', 'malformed_request', 'missing_header', 'not_found']),
    )
    expect(site.ingest.logged('ingest.failed')).toEqual([])
  },
  PATIENCE_MS,
)
