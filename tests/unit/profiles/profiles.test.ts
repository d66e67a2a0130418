import { generateKeyPairSync } from 'node:crypto'
import { ConfigFaults } from '@clerk-mirror/runtime'
import { describe, expect, test } from 'vitest'
import { readProfilesConfig } from '../../../apps/profiles/src/config.js'
import { cursorText, parseCursor } from '../../../apps/profiles/src/cursor.js'
import { avatar } from '../../../apps/profiles/src/pages/avatar.js'
import { httpsUrl, parseEdit } from '../../../apps/profiles/src/parse-edit.js'
import { sessionOf } from '../../../apps/profiles/src/session.js'
import { JWT_KEY, PARTY, PUBLISHABLE_KEY, sessionToken } from '../../support/profiles/profiles.js'

const block = { type: 999, label: 'Home', url: 'https://example.org/' }
const faultsOf = (body: unknown) => {
  const parsed = parseEdit(body)
  return parsed.kind === 'invalid' ? parsed.fields : {}
}

describe('an edit', () => {
  test('is taken as it was written, trimmed and in order; blank texts are none', () => {
    const blocks = [{ ...block, label: '  ' }, { type: 1, url: 'https://x.com/ada' }, block]
    expect(parseEdit({ tagline: ' Hi \u{1f44b} ', blocks })).toEqual({
      kind: 'valid',
      edit: {
        tagline: 'Hi \u{1f44b}',
        blocks: [{ ...block, label: null }, { type: 1, label: null, url: 'https://x.com/ada' }, block],
      },
    })
  })
  test('has its URLs stored in plain ASCII, so that what is shown is what is opened', () => {
    const parsed = parseEdit({ tagline: null, blocks: [{ ...block, url: ' https://münchen.example/ä"b ' }] })
    expect(parsed).toMatchObject({ edit: { blocks: [{ url: 'https://xn--mnchen-3ya.example/%C3%A4%22b' }] } })
  })
  test('may be as long as the columns, counted in characters and not in UTF-16 units', () => {
    const label = '\u{1f600}'.repeat(200)
    expect(faultsOf({ tagline: '\u{1f600}'.repeat(250), blocks: Array(50).fill({ ...block, label }) })).toEqual({})
  })
  test('is refused with a sentence for every field that is wrong, all at once', () => {
    const wrong = { type: 7, label: 'x'.repeat(201), url: `https://example.org/${'x'.repeat(200)}` }
    expect(faultsOf({ tagline: 'x'.repeat(251), blocks: [block, wrong, null] })).toEqual({
      tagline: 'must have at most 250 characters',
      'blocks.1.type': 'must be one of 1, 2, 3, 4, 5, 6, 999',
      'blocks.1.label': 'must have at most 200 characters',
      'blocks.1.url': 'must have at most 200 characters',
      'blocks.2': 'must be an object with type, label and url',
    })
    expect(faultsOf({ tagline: 7, blocks: {} })).toEqual({
      tagline: 'must be a text or null',
      blocks: 'must be a list',
    })
    expect(faultsOf({ tagline: 'a\nb', blocks: Array(51).fill(block) })).toEqual({
      tagline: 'must be one line without control characters',
      blocks: 'must be at most 50',
    })
  })
  test.each([null, [], 'text', 7, undefined])('that is %j is refused', (body) => {
    expect(faultsOf(body)).toEqual({ '': 'must be an object with tagline and blocks' })
  })
  test.each([
    ...['http://example.org/', 'javascript:alert(1)', 'data:text/html,x', '//example.org', '/path', 'https://', ''],
    ...['https://user:secret@example.org/', 'https://user@example.org/', ' jAvAsCrIpT:alert(1)', null, 7, {}],
  ])('with the URL %j is refused', (url) => {
    expect(httpsUrl(url)).toBeNull()
    expect(Object.keys(faultsOf({ tagline: null, blocks: [{ ...block, url }] }))).toEqual(['blocks.0.url'])
  })
})

test('a cursor is read back, and nothing else is taken for one', () => {
  const cursor = { listedAtMs: 1_750_000_000_123, id: 42n }
  expect(parseCursor(cursorText(cursor))).toEqual(cursor)
  for (const text of ['', 'x', cursorText({ listedAtMs: -1, id: 1n }), `${cursorText(cursor)}AA`, 'MTc1.MDAw']) {
    expect(parseCursor(text)).toBeNull()
  }
})

test('an avatar has the first letters of a name, whatever its alphabet', () => {
  const deadLetters = (displayName: string | null) =>
    /<span>(.*?)<\/span>/.exec(avatar({ username: 'ada', displayName, imgUrl: null }, 'small').toString())?.[1]
  expect(['Ada Lovelace', '\u{1f44b}\u{1f3fd} Wave', 'prince', null].map(deadLetters)).toEqual([
    ...['AL', '\u{1f44b}W', 'P', 'A'],
  ])
})

describe('a session', () => {
  const options = { jwtKey: JWT_KEY, authorizedParties: [PARTY], publishableKey: undefined }
  const ask = (headers: Record<string, string>, method = 'GET') => sessionOf({ method, headers }, options)
  const ada = { kind: 'user', clerkId: 'user_ada' }
  const refused = (code: string) => ({ kind: 'refused', code })
  const nowS = Math.floor(Date.now() / 1000)

  test('is that of the Bearer token, else of the cookie', async () => {
    const cookie = `a=b; __session=${sessionToken('user_ada')}; __session_x=c`
    expect(await ask({ authorization: `Bearer ${sessionToken('user_ada')}` })).toEqual(ada)
    expect(await ask({ cookie })).toEqual(ada)
    expect(await ask({ cookie, authorization: 'Bearer x' })).toEqual(refused('invalid_token'))
    expect(await ask({})).toEqual(refused('missing_token'))
  })
  test.each([
    ['that has expired', { claims: { exp: nowS - 10 } }, 'expired_token'],
    ['that is not yet valid', { claims: { nbf: nowS + 60 } }, 'invalid_token'],
    ['made for another page', { claims: { azp: 'https://evil.example' } }, 'invalid_token'],
    ['that names no page', { claims: { azp: undefined } }, 'invalid_token'],
    ['made from a template for somebody else', { claims: { sid: undefined } }, 'invalid_token'],
    ['of a session with a pending task', { claims: { sts: 'pending' } }, 'invalid_token'],
    ['whose user has no id of Clerk', { claims: { sub: 'user ada' } }, 'invalid_token'],
    ['without a signature', { header: { alg: 'none' } }, 'invalid_token'],
    ['signed with the public key as a secret', { header: { alg: 'HS256' } }, 'invalid_token'],
    ['of another instance', { key: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey }, 'invalid_token'],
  ])('is not that of a token %s', async (_, change, code) => {
    expect(await ask({ authorization: `Bearer ${sessionToken('user_ada', change)}` })).toEqual(refused(code))
  })
  test('outlives a clock that is a few seconds off', async () => {
    const token = sessionToken('user_ada', { claims: { exp: nowS - 3 } })
    expect(await ask({ authorization: `Bearer ${token}` })).toEqual(ada)
  })
  test('changes nothing by its cookie for a page of another origin', async () => {
    const cookie = `__session=${sessionToken('user_ada')}`
    const put = (headers: object) => ask({ cookie, host: 'profiles.example.com', ...headers }, 'PUT')
    expect(await put({ 'sec-fetch-site': 'same-origin' })).toEqual(ada)
    expect(await put({ origin: 'https://profiles.example.com' })).toEqual(ada)
    for (const headers of [
      ...[{}, { origin: 'null' }, { origin: 'https://evil.example' }, { 'sec-fetch-site': 'same-site' }],
      ...[{ 'sec-fetch-site': 'cross-site', origin: 'https://profiles.example.com' }, { 'sec-fetch-site': 'none' }],
    ]) {
      expect(await put(headers)).toEqual(refused('cross_site'))
    }
  })
  test('is nobody’s before a key is set', async () => {
    const nobody = await sessionOf({ method: 'GET', headers: {} }, { ...options, jwtKey: undefined })
    expect(nobody).toEqual(refused('sign_in_not_configured'))
  })
})

describe('the configuration', () => {
  const env = { DATABASE_URL: 'mysql://u:p@127.0.0.1/x' }
  const faultsIn = (settings: Record<string, string>) => {
    try {
      readProfilesConfig({ ...env, ...settings })
      return []
    } catch (error) {
      if (!(error instanceof ConfigFaults)) throw error
      return error.faults.map(({ name }) => name)
    }
  }

  test('needs a database alone, and has ports that no other process has', () => {
    expect(readProfilesConfig(env)).toMatchObject({ port: 8083, metricsPort: 9091, host: '127.0.0.1' })
  })
  test('takes a key in one line, several origins, and the host of the publishable key', () => {
    const config = readProfilesConfig({
      ...env,
      CLERK_JWT_KEY: JWT_KEY.trim().replaceAll('\n', '\\n'),
      CLERK_AUTHORIZED_PARTIES: 'https://a.example, http://localhost:3000',
      CLERK_PUBLISHABLE_KEY: PUBLISHABLE_KEY,
    })
    expect(config).toMatchObject({
      jwtKey: JWT_KEY,
      authorizedParties: ['https://a.example', 'http://localhost:3000'],
      publishableKey: { frontendApi: 'clerk.example.com' },
    })
  })
  test.each([
    ['line breaks of Windows', JWT_KEY.replaceAll('\n', '\r\n')],
    ['escaped line breaks of both kinds', JWT_KEY.trim().replaceAll('\n', '\\r\\n')],
    ['spaces for line breaks', JWT_KEY.trim().replaceAll('\n', ' ')],
    ['one line', JWT_KEY.replaceAll('\n', '')],
    ['quotes', `"${JWT_KEY.trim()}"`],
    ['the body alone', JWT_KEY.replace(/-----.*-----\n/g, '')],
    ['the body alone in one line', JWT_KEY.replace(/-----.*-----\n/g, '').replaceAll('\n', '')],
  ])('takes the key that Clerk signs with in %s', async (_, raw) => {
    const { jwtKey } = readProfilesConfig({ ...env, CLERK_JWT_KEY: raw })
    expect(jwtKey).toBe(JWT_KEY)
    const headers = { authorization: `Bearer ${sessionToken('user_ada')}` }
    const options = { jwtKey, authorizedParties: [PARTY], publishableKey: undefined }
    expect(await sessionOf({ method: 'GET', headers }, options)).toMatchObject({ kind: 'user' })
  })
  test('refuses a key that is cut, changed, private or of another kind, and shows nothing of it', () => {
    const body = JWT_KEY.replace(/-----.*-----\n/g, '').replaceAll('\n', '')
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 })
    const spki = { type: 'spki', format: 'pem' } as const
    for (const key of [
      ...[body.slice(0, -8), body.slice(8), `${body.slice(0, 99)}!${body.slice(100)}`, `${body}AAAA=AAA`, '""'],
      privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      publicKey.export(spki).toString(),
      generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export(spki).toString(),
    ]) {
      expect(faultsIn({ CLERK_JWT_KEY: key }), key).toEqual(['CLERK_JWT_KEY'])
      expect(() => readProfilesConfig({ ...env, CLERK_JWT_KEY: key })).toThrow(/dashboard/)
    }
  })
  test('refuses what is none of them, all at once', () => {
    const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ type: 'spki', format: 'pem' })
    const wrong = {
      CLERK_JWT_KEY: small.toString(),
      CLERK_AUTHORIZED_PARTIES: 'https://a.example/path',
      CLERK_PUBLISHABLE_KEY: `pk_test_${Buffer.from('evil.example/"><script>$').toString('base64')}`,
    }
    expect(faultsIn(wrong)).toEqual(Object.keys(wrong))
    expect(faultsIn({ CLERK_JWT_KEY: 'sk_test_x', CLERK_PUBLISHABLE_KEY: 'sk_test_x' })).toEqual([
      ...['CLERK_JWT_KEY', 'CLERK_PUBLISHABLE_KEY'],
    ])
  })
})
