import { migrate, openMirror } from '@clerk-mirror/mirror'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readAssets } from '../../../apps/profiles/src/assets.js'
import { exchange } from '../../edge/wire.js'
import { userCreated, userDeleted, userUpdated } from '../../support/builders.js'
import { clerkId } from '../../support/clerk-events.js'
import { absentTestDatabase, MIGRATIONS, openTestDatabase, type TestDatabase } from '../../support/mysql/database.js'
import { bearer, openSite, PUBLISHABLE_KEY, type Site, sessionToken } from '../../support/profiles/profiles.js'
import { until } from '../../support/until.js'

let database: TestDatabase
let site: Site
let mirror: ReturnType<typeof openMirror>
beforeAll(async () => {
  database = await openTestDatabase()
  site = await openSite(database.options)
  mirror = openMirror(database.options)
})
afterAll(async () => {
  await site[Symbol.asyncDispose]()
  await mirror[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

const json = async (path: string, headers?: Record<string, string>) => JSON.parse((await site.get(path, headers)).text)
const refused = (code: string) => ({ error: { code, message: expect.any(String) } })
const block = { type: 999, label: 'Home', url: 'https://example.org/' }

async function signUp(username: string, data: object = {}): Promise<string> {
  const id = clerkId('user')
  await mirror.apply([userCreated(id, { data: { username, created_at: Date.now(), ...data } })])
  return id
}

describe('the read API', () => {
  test('gives a profile by path and by query, with what its owner has written', async () => {
    const id = await signUp('ada', { first_name: 'Ada', image_url: 'https://img.clerk.com/ada' })
    await site.save(id, { tagline: 'Poetical science', blocks: [{ type: 1, url: 'https://x.com/ada' }, block] })
    const profile = {
      ...{ username: 'ada', displayName: 'Ada', tagline: 'Poetical science', imgUrl: 'https://img.clerk.com/ada' },
      blocks: [{ type: 1, label: '', url: 'https://x.com/ada' }, block],
    }
    expect(await json('/profiles/ada')).toEqual(profile)
    expect(await json('/profiles/ADA')).toEqual(profile)
    expect(await json('/profiles?username=ada')).toEqual(profile)
  })

  test('says 404 in JSON for who is not there, has gone, or is banned', async () => {
    const [gone, banned] = [await signUp('gone'), await signUp('banned')]
    expect((await site.get('/profiles/gone')).status).toBe(200)
    await mirror.apply([userDeleted(gone, { at: 9e9 }), userUpdated(banned, { data: { banned: true }, at: 9e9 })])
    const names = ['gone', 'banned', 'nobody', '%00', '%F0%9F%98%80'.repeat(120), 'a%2Fb', `${'x'.repeat(121)}`]
    for (const name of names) {
      expect(await site.get(`/profiles/${name}`)).toMatchObject({ status: 404 })
      expect(await json(`/profiles?username=${name}`)).toEqual(refused('profile_not_found'))
    }
  })

  test('lists the newest 30, and more with a cursor', async () => {
    const events = Array.from({ length: 65 }, (_, index) =>
      userCreated(clerkId('user'), { data: { username: `crowd${index}`, created_at: 4e12 + index } }),
    )
    await mirror.apply(events)
    const first = await json('/profiles')
    expect(first.profiles.map(({ username }: { username: string }) => username)).toEqual(
      Array.from({ length: 30 }, (_, index) => `crowd${64 - index}`),
    )
    const second = await json(`/profiles?cursor=${first.next}`)
    expect(second.profiles[0].username).toBe('crowd34')
    const third = await json(`/profiles?cursor=${second.next}`)
    expect(third).toMatchObject({ next: null })
    expect(await json('/profiles?cursor=nonsense')).toEqual(refused('invalid_cursor'))
    expect(await json('/profiles?cursor=a&cursor=b')).toEqual(refused('invalid_query'))
  })

  test('is asked again for nothing that has not changed, and is kept by no cache without asking', async () => {
    const id = await signUp('cached', { created_at: 7e12 })
    for (const path of ['/profiles/cached', '/profiles', '/@cached', '/']) {
      const { headers, text } = await site.get(path)
      const etag = headers.get('etag') ?? ''
      expect(headers.get('cache-control')).toBe('public, no-cache')
      expect(await site.get(path, { 'if-none-match': `"other", W/${etag}` })).toMatchObject({ status: 304, text: '' })
      const head = await fetch(`${site.url}${path}`, { method: 'HEAD', headers: { 'if-none-match': etag } })
      expect([head.status, head.headers.get('etag')]).toEqual([304, etag])
      await site.save(id, { tagline: `at ${path}`, blocks: [] })
      const changed = await site.get(path, { 'if-none-match': etag })
      expect(changed).toMatchObject({ status: 200 })
      expect(changed.text).not.toBe(text)
    }
  })

  test('is described by an OpenAPI document, which has every route of it', async () => {
    const { openapi, paths } = await json('/openapi.json')
    expect(openapi).toBe('3.1.0')
    expect(Object.keys(paths).toSorted()).toEqual(['/me', '/profiles', '/profiles/{username}'])
    expect(paths['/me'].put.requestBody.content['application/json'].schema.required).toEqual(['tagline', 'blocks'])
  })
})

test('no address, no Clerk id and no metadata leaves by any route, nor a log line', async () => {
  const marker = 'MARKER4711'
  const id = await signUp('private', {
    email_addresses: [{ id: 'idn_1', email_address: `${marker}@example.org` }],
    ...{ primary_email_address_id: 'idn_1', external_id: marker, created_at: 8e12 },
    ...{ public_metadata: { marker }, private_metadata: { marker }, unsafe_metadata: { marker } },
  })
  await site.save(id, { tagline: 'public', blocks: [block] })
  const stored = await database.query<{ email: string }>('SELECT email FROM users WHERE clerk_id = ?', [id])
  expect(stored[0]?.email).toContain(marker)
  const paths = ['/', '/@private', '/profiles', '/profiles/private', '/profiles?username=private', '/openapi.json']
  for (const path of [...paths, '/me', '/edit', '/nope']) {
    const { text } = await site.get(path, bearer(id))
    expect({ path, leaks: text.includes(marker) || text.includes(id) }).toEqual({ path, leaks: false })
    if (path.includes('private')) expect(text).toContain('public')
  }
  expect(site.logged.filter((line) => line.includes(marker) || line.includes('@example'))).toEqual([])
})

describe('one’s own profile', () => {
  const put = (headers: Record<string, string>, body: string | null = '{"tagline":null,"blocks":[]}') =>
    fetch(`${site.url}/me`, { method: 'PUT', headers, body })
  const typed = { 'content-type': 'application/json' }

  test('is read and written by who is signed in, and kept by no cache', async () => {
    const id = await signUp('own')
    const saved = await site.save(id, { tagline: 'Mine', blocks: [block] })
    expect(saved).toMatchObject({ status: 200 })
    expect(saved.headers.get('cache-control')).toBe('private, no-store')
    const own = { username: 'own', displayName: null, tagline: 'Mine', imgUrl: null, blocks: [block], isPublic: true }
    expect(JSON.parse(saved.text)).toEqual(own)
    expect(await json('/me', bearer(id))).toEqual(own)
  })

  test('can be written before Clerk’s event comes, and nothing of it is public until then', async () => {
    const id = clerkId('user')
    expect(JSON.parse((await site.save(id, { tagline: 'Early', blocks: [block] })).text)).toMatchObject({
      ...{ username: null, tagline: 'Early', isPublic: false },
    })
    expect((await site.get('/profiles')).text).not.toContain('Early')
    await mirror.apply([userCreated(id, { data: { username: 'early' } })])
    expect(await json('/profiles/early')).toMatchObject({ tagline: 'Early', blocks: [block] })
  })

  test('is gone for good once Clerk has deleted the user, however valid the token', async () => {
    const id = await signUp('deleted')
    await mirror.apply([userDeleted(id, { at: 9e9 })])
    expect(await site.save(id, { tagline: null, blocks: [] })).toMatchObject({ status: 410 })
    expect(await site.get('/me', bearer(id))).toMatchObject({ status: 410 })
  })

  test('is refused to who shows no token, and says how to show one', async () => {
    const { status, headers, text } = await site.get('/me')
    expect([status, headers.get('www-authenticate'), JSON.parse(text)]).toEqual([
      ...[401, 'Bearer', refused('missing_token')],
    ])
  })

  test('tells of every field what is wrong with it, and changes nothing', async () => {
    const id = await signUp('careless')
    await site.save(id, { tagline: 'Before', blocks: [] })
    const { status, text } = await site.save(id, { tagline: 7, blocks: [{ type: 0, url: 'http://x' }] })
    expect(status).toBe(400)
    expect(JSON.parse(text).error).toMatchObject({
      code: 'invalid_profile',
      fields: {
        tagline: 'must be a text or null',
        'blocks.0.type': expect.any(String),
        'blocks.0.url': expect.any(String),
      },
    })
    expect(await json('/profiles/careless')).toMatchObject({ tagline: 'Before' })
  })

  test('takes JSON and nothing else, not too much of it, and no other method', async () => {
    const user = bearer(clerkId('user'))
    const status = async (answer: Promise<Response>) => (await answer).status
    expect(await status(put({ ...user, 'content-type': 'text/plain' }))).toBe(415)
    expect(await status(put({ ...user, 'content-type': 'application/x-www-form-urlencoded' }, 'tagline=x'))).toBe(415)
    expect(await status(put({ ...user, ...typed }, '{'))).toBe(400)
    expect(await status(put({ ...user, ...typed }, '{"__proto__":{}}'))).toBe(400)
    expect(await status(put({ ...user, ...typed }, ''))).toBe(400)
    expect(await status(put({ ...user, ...typed }, 'x'.repeat(256 * 1024 + 1)))).toBe(413)
    const deleted = await fetch(`${site.url}/me`, { method: 'DELETE', headers: user })
    expect([deleted.status, deleted.headers.get('allow')]).toEqual([405, 'GET, HEAD, PUT'])
  })

  test('is not changed with a cookie by a page of another site', async () => {
    const cookie = `__session=${sessionToken(await signUp('cookie'))}`
    expect((await put({ ...typed, cookie, origin: site.url })).status).toBe(200)
    const forged = await put({ ...typed, cookie, origin: 'https://evil.example' })
    expect([forged.status, await forged.json()]).toEqual([403, refused('cross_site')])
    expect((await site.get('/me', { cookie })).status).toBe(200)
  })
})

test('an edit that a rule of the application’s own refuses is a conflict, and changes nothing', async () => {
  const [first, second] = [await signUp('first'), await signUp('second')]
  await database.query('CREATE UNIQUE INDEX app_taglines ON users (tagline)')
  expect(await site.save(first, { tagline: 'Only me', blocks: [] })).toMatchObject({ status: 200 })
  const { status, text } = await site.save(second, { tagline: 'Only me', blocks: [block] })
  expect([status, JSON.parse(text)]).toEqual([409, refused('profile_conflict')])
  const line = site.logged.find((each) => each.includes('profiles.conflict')) ?? '{}'
  expect(JSON.parse(line)).toMatchObject({ level: 'warn', code: 'mysql_1062' })
  expect(line).not.toContain('Only me')
  expect(await json('/profiles/second')).toMatchObject({ tagline: null, blocks: [] })
  expect(await json('/profiles/first')).toMatchObject({ tagline: 'Only me' })
  expect(await site.save(second, { tagline: 'Me too', blocks: [block] })).toMatchObject({ status: 200 })
  await database.query('DROP INDEX app_taglines ON users')
})

describe('HEAD', () => {
  test('is answered as GET is, without the body, on every path and with every condition', async () => {
    const id = await signUp('headed')
    const { path: asset } = readAssets()['profiles.css']
    const paths = ['/', '/@headed', '/profiles', '/profiles/headed', '/openapi.json', '/edit', '/me', '/livez', '/nope']
    for (const path of [...paths, asset, '/@nobody', '/profiles?cursor=nonsense']) {
      for (const condition of [{}, { 'if-none-match': '*' }, { 'if-none-match': '"other"' }]) {
        const headers = { ...bearer(id), ...condition }
        const get = await fetch(`${site.url}${path}`, { headers })
        const head = await fetch(`${site.url}${path}`, { method: 'HEAD', headers })
        const told = ({ status, headers: all }: Response) => [path, status, all.get('etag'), all.get('content-type')]
        expect(told(head)).toEqual(told(get))
        expect([await head.text(), get.status < 500]).toEqual(['', true])
        await get.text()
      }
    }
  })
})

describe('a path in another spelling', () => {
  const lookUp = async (path: string, init: RequestInit = {}) => {
    const { status, headers } = await fetch(`${site.url}${path}`, { redirect: 'manual', ...init })
    return [status, headers.get('location')]
  }

  test.each([
    ['/%40ada', '/@ada'],
    ['/@ada/', '/@ada'],
    ['/%40ada//', '/@ada'],
    ['/profiles/', '/profiles'],
    ['/profiles/ada/', '/profiles/ada'],
    ['/profiles/?cursor=a?b', '/profiles?cursor=a?b'],
    ['/%65dit/', '/edit'],
    ['/@a%2Fb/', '/@a%2Fb'],
    ['/me/', '/me'],
  ])('%s leads to %s', async (path, canonical) => {
    expect(await lookUp(path)).toEqual([308, canonical])
    expect(await lookUp(path, { method: 'HEAD' })).toEqual([308, canonical])
    const [status] = await lookUp(canonical)
    expect([200, 400, 401, 404]).toContain(status)
  })

  test('of a user is their page, behind the redirect', async () => {
    await signUp('spelled')
    for (const path of ['/%40spelled', '/@spelled/', '/%40SPELLED/']) {
      expect(await site.get(path)).toMatchObject({ status: 200, text: expect.stringContaining('spelled') })
    }
  })

  test('leads to no other site, and nowhere where there is nothing', async () => {
    for (const path of [
      '//evil.example/',
      '//evil.example/@ada/',
      '/\\evil.example/',
      '/nope/',
      '/@/',
      '/%2F%2Fevil.example/',
    ]) {
      const { status, location } = await raw(path)
      expect({ path, status, location }).toEqual({ path, status: 404, location: undefined })
    }
  })

  /** As it is written: `fetch` would tidy up the path. */
  async function raw(path: string) {
    const port = Number(new URL(site.url).port)
    const { answers } = await exchange(port, `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`)
    return { status: answers[0]?.status, location: answers[0]?.headers['location'] }
  }
})

describe('a page', () => {
  test('has a policy without scripts and inline styles, and links that vouch for nothing', async () => {
    const id = await signUp('linked')
    await site.save(id, { tagline: 'x', blocks: [block] })
    const { headers, text } = await site.get('/@linked')
    const policy = headers.get('content-security-policy')
    expect(policy).toContain("default-src 'none'; style-src 'self'; img-src 'self' https:;")
    expect(policy).not.toMatch(/script-src|unsafe/)
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(text).toContain('href="https://example.org/" rel="noopener nofollow ugc"')
    expect(text).not.toMatch(/<script|style=/)
  })

  test('shows what anybody has stored as text, and links to nothing but https', async () => {
    const evil = `"'><script>alert(1)</script>&amp;`
    const id = await signUp(evil, { first_name: evil, image_url: 'javascript:alert(1)', created_at: 7e12 })
    await site.save(id, { tagline: evil, blocks: [{ ...block, label: evil }] })
    await database.query(
      "INSERT INTO blocks (user_id, type, url, label) SELECT id, 7, 'javascript:alert(2)', 'odd' FROM users WHERE clerk_id = ?",
      [id],
    )
    for (const path of ['/', `/@${encodeURIComponent(evil)}`]) {
      const { status, text } = await site.get(path)
      expect(status).toBe(200)
      expect(text).toContain('&#60;script&#62;alert(1)&#60;/script&#62;&#38;amp;')
      expect(text).not.toMatch(/<script|javascript:|odd/)
    }
    expect(await json(`/profiles/${encodeURIComponent(evil)}`)).toMatchObject({
      imgUrl: null,
      blocks: [{ label: evil }],
    })
  })

  test('shows no name that turns the direction of the text beside it, or poses as another', async () => {
    const id = await signUp('turned\u202e', { first_name: '\u202eadA\u2066', created_at: 7e12 + 1 })
    await site.save(id, { tagline: '\u2068evil', blocks: [{ ...block, label: '\u202dlabel' }] })
    for (const path of ['/', `/@${encodeURIComponent('turned\u202e')}`]) {
      const { status, text } = await site.get(path)
      expect(status).toBe(200)
      expect(text).toMatch(/adA.*@turned</s)
      expect(text).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/)
    }
    // For programs it is as Clerk says it.
    expect(await json(`/profiles/${encodeURIComponent('turned\u202e')}`)).toMatchObject({
      displayName: '\u202eadA\u2066',
    })
  })

  test('that does not exist is one that says so, for people, and JSON for programs', async () => {
    const html = { accept: 'text/html,*/*' }
    expect((await site.get('/@nobody')).text).toContain('No profile has this name')
    expect((await site.get('/nope', html)).text).toContain('There is nothing here')
    expect(await json('/nope')).toEqual(refused('not_found'))
    expect((await site.get('/%E0%A4%A', html)).status).toBe(404)
    expect((await site.get('/?cursor=nonsense')).text).toContain('This link is too old')
  })

  test('brings its style with a name that changes with its content', async () => {
    const { path } = readAssets()['profiles.css']
    expect((await site.get('/')).text).toContain(path)
    const { headers } = await site.get(path)
    expect([headers.get('content-type'), headers.get('cache-control')]).toEqual([
      ...['text/css; charset=utf-8', 'public, max-age=31536000, immutable'],
    ])
  })
})

test('the editor says what is to be set, and when it is, brings Clerk’s scripts from the instance alone', async () => {
  await using unset = await openSite(database.options, { jwtKey: undefined })
  expect((await unset.get('/edit')).text).toMatch(/CLERK_PUBLISHABLE_KEY.*CLERK_JWT_KEY/s)
  expect((await unset.get('/edit')).text).not.toContain('<script')
  expect(JSON.parse((await unset.get('/me', bearer('user_x'))).text)).toEqual(refused('sign_in_not_configured'))
  await using set = await openSite(database.options, { publishableKey: PUBLISHABLE_KEY })
  const { headers, text } = await set.get('/edit')
  expect([...text.matchAll(/<script[^>]* src="([^"]+)"/g)].map(([, source]) => source)).toEqual([
    'https://clerk.example.com/npm/@clerk/ui@1/dist/ui.browser.js',
    'https://clerk.example.com/npm/@clerk/clerk-js@6/dist/clerk.browser.js',
    readAssets()['edit.js'].path,
  ])
  expect(headers.get('content-security-policy')).toContain("script-src 'self' https://clerk.example.com https://chall")
})

test('without its database the process starts, says 503 to people and programs, and recovers', async () => {
  await using absent = absentTestDatabase()
  await using alone = await openSite(absent.options)
  expect((await alone.get('/livez')).status).toBe(200)
  const [ready, page, api, save] = await Promise.all([
    ...['/readyz', '/@ada', '/profiles/ada'].map((path) => alone.get(path)),
    alone.save('user_x', { tagline: null, blocks: [] }),
  ])
  expect(ready).toMatchObject({ status: 503, text: expect.stringContaining('mysql') })
  expect(page).toMatchObject({ status: 503, text: expect.stringContaining('A short break') })
  expect(page?.headers.get('retry-after')).toBe('5')
  for (const answer of [api, save]) expect(JSON.parse(answer?.text ?? '')).toEqual(refused('database_unavailable'))
  await migrate(absent.options, { folder: MIGRATIONS, log: () => undefined })
  await until(async () => (await alone.get('/readyz')).status === 200)
  expect((await alone.get('/profiles')).text).toBe('{"profiles":[],"next":null}')
})

test('requests are counted by route and status, on a port of their own', async () => {
  await site.get('/@nobody')
  const metrics = await (await fetch(`http://127.0.0.1:${site.metricsPort}/metrics`)).text()
  expect(metrics).toMatch(
    /clerk_mirror_profiles_requests_total\{route="\/@:username",status="404",app="profiles"\} \d+/,
  )
  expect(metrics).toMatch(/clerk_mirror_profiles_request_seconds_count\{app="profiles",route="\/profiles"\} \d+/)
  expect((await site.get('/metrics')).status).toBe(404)
})
