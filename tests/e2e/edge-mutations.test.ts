import { randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { runEdgeCampaign } from '../edge/campaign.js'
import { openEdgeSite } from '../edge/site.js'

const GREATEST_SEED = 2 ** 40
const REQUESTS = 3000

test('whatever is made of a signed request, the door stays up, keeps its memory, and lets in only what is signed', async () => {
  const seed = randomInt(GREATEST_SEED)
  process.stdout.write(`mutations from seed ${seed}\n`)
  await using site = await openEdgeSite({ TRUST_PROXY: 'loopback' })
  const result = await runEdgeCampaign(site, { seed, requests: REQUESTS })
  console.log(result, await site.restingBytes())
  expect(result.violations).toEqual([])
  expect(result.sent).toBe(REQUESTS)
  expect(site.ingest.logged('ingest.failed')).toEqual([])
})
