import { request } from 'node:http'
import { openMirror } from '@clerk-mirror/mirror'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readAssets } from '../../../apps/profiles/src/assets.js'
import { REFUSALS } from '../../../apps/profiles/src/errors.js'
import { listPage } from '../../../apps/profiles/src/pages/list-page.js'
import { profilePage } from '../../../apps/profiles/src/pages/profile-page.js'
import type { PublicProfile } from '../../../apps/profiles/src/public-profile.js'
import { userCreated } from '../../support/builders.js'
import { clerkId } from '../../support/clerk-events.js'
import { openTestDatabase, type TestDatabase } from '../../support/mysql/database.js'
import { hostileBody, hostilePath, hostileText, RUNS, skeleton } from '../../support/profiles/hostile-inputs.js'
import { openSite, type Site, sessionToken } from '../../support/profiles/profiles.js'

const PATIENCE_MS = 30_000 + RUNS * 200
const assets = readAssets()
const user = clerkId('user')

let database: TestDatabase
let site: Site
beforeAll(async () => {
  database = await openTestDatabase()
  site = await openSite(database.options)
  await using mirror = openMirror(database.options)
  await mirror.apply([userCreated(user, { data: { username: 'target', first_name: 'Target' } })])
})
afterAll(async () => {
  await site[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

type Sent = { status: number; type: string; body: string }

/** As it is written: `fetch` would tidy up paths and methods. */
const send = (method: string, path: string, headers: Record<string, string> = {}, body?: string) =>
  new Promise<Sent>((resolve, reject) => {
    const call = request(`${site.url}/`, { method, path, headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const { statusCode: status = 0, headers } = response
        resolve({ status, type: headers['content-type'] ?? '', body: Buffer.concat(chunks).toString() })
      })
    })
    call.on('error', reject)
    call.end(body)
  })

/** The answer is one that the documents have: right, or a refusal with its own status. */
function expectDocumented({ status, type, body }: Sent): void {
  if (status === 200 || status === 304 || body === '') return
  if (type.includes('text/html')) {
    expect(skeleton(body)).toContain('h1 ')
    return
  }
  const { code } = JSON.parse(body).error
  expect({ code, status }).toEqual({ code, status: REFUSALS[code as keyof typeof REFUSALS]?.status })
  expect(code).not.toMatch(/internal|unavailable/)
}

/** The same page with harmless words. */
const tame = ({ displayName, tagline, imgUrl, blocks }: PublicProfile): PublicProfile => ({
  username: 'x',
  displayName: displayName && 'x',
  tagline: tagline && 'x',
  imgUrl: imgUrl && 'https://x/',
  blocks: blocks.map(({ type }) => ({ type, label: 'x', url: 'https://x/' })),
})

test('whatever is in a profile, its page and the list are made of the same tags', () => {
  const text = fc.option(hostileText)
  const block = fc.record({ type: fc.constantFrom(1, 7, 999), label: hostileText, url: fc.webUrl() })
  const hostile = fc.record({
    ...{
      username: hostileText,
      displayName: text,
      tagline: text,
      imgUrl: text,
      blocks: fc.array(block, { maxLength: 4 }),
    },
  })
  fc.assert(
    fc.property(hostile, (profile) => {
      const page = (of: PublicProfile) => skeleton(profilePage(assets, of).toString())
      expect(page(profile)).toEqual(page(tame(profile)))
      const list = (of: PublicProfile) =>
        skeleton(listPage(assets, { profiles: [of], next: null, isFirst: true }).toString())
      expect(list(profile)).toEqual(list(tame(profile)))
    }),
    { numRuns: RUNS },
  )
})

test(
  'whatever is sent to PUT /me, the answer is documented, and the page shows what was stored as text',
  async () => {
    const type = fc.constantFrom('application/json', 'application/json; charset=utf-8', 'text/plain', '')
    const seen = new Set<number>()
    await fc.assert(
      fc.asyncProperty(
        hostileBody,
        fc.oneof({ arbitrary: fc.constant('application/json'), weight: 9 }, type),
        async (body, type) => {
          const headers = { authorization: `Bearer ${sessionToken(user)}`, ...(type && { 'content-type': type }) }
          const sent = await send('PUT', '/me', headers, JSON.stringify(body))
          seen.add(sent.status)
          expectDocumented(sent)
          expect([200, 400, 413, 415]).toContain(sent.status)
          if (sent.status !== 200) return
          const stored: PublicProfile = JSON.parse((await send('GET', '/profiles/target')).body)
          const page = await send('GET', '/@target')
          expect(skeleton(page.body)).toEqual(skeleton(profilePage(assets, tame(stored)).toString()))
          for (const { url } of stored.blocks) expect(url).toMatch(/^https:\/\/[!-~]+$/)
        },
      ),
      { numRuns: RUNS },
    )
    expect([...seen].toSorted()).toEqual(expect.arrayContaining([200, 400]))
  },
  PATIENCE_MS,
)

test(
  'whatever path, query, method, token or cookie is sent, the answer is documented',
  async () => {
    const start = fc.constantFrom(
      '/@',
      '/profiles/',
      '/profiles?username=',
      '/?cursor=',
      '/profiles?cursor=',
      '/',
      '/assets/',
    )
    const method = fc.oneof(
      { arbitrary: fc.constant('GET'), weight: 6 },
      fc.constantFrom('HEAD', 'POST', 'PUT', 'OPTIONS'),
    )
    const printable = hostileText.map((text) => text.replaceAll(/[^\t\x20-\x7e]/g, '').slice(0, 3000))
    const headers = fc.record(
      {
        accept: fc.constantFrom('text/html', '*/*', ''),
        authorization: printable,
        cookie: printable.map((text) => `__session=${text}`),
        'if-none-match': printable,
        'content-type': printable,
        'sec-fetch-site': printable,
      },
      { requiredKeys: [] },
    )
    await fc.assert(
      fc.asyncProperty(start, hostilePath, method, headers, async (start, end, method, headers) => {
        const path = `${start}${end}`.replaceAll(/[^!-~]/g, '')
        expectDocumented(await send(method, path, headers))
        expectDocumented(await send(method, '/me', headers))
      }),
      { numRuns: RUNS },
    )
    expect(site.logged.filter((line) => line.includes('"level":"error"'))).toEqual([])
  },
  PATIENCE_MS,
)
