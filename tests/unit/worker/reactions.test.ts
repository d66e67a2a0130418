import { ConfigFaults } from '@clerk-mirror/runtime'
import { expect, test } from 'vitest'
import { readWorkerConfig } from '../../../apps/worker/src/config.js'
import { chooseReactions, demandNames } from '../../../apps/worker/src/reaction-runtime/choose-reactions.js'
import { isPublicAddress } from '../../../apps/worker/src/reaction-runtime/public-address.js'
import { filterText, interestsOf, wantedOnRegister } from '../../../apps/worker/src/reaction-runtime/wants.js'
import type { Reaction, Wanted } from '../../../apps/worker/src/reactions/reaction.js'

const reaction = (name: string, ...wants: Wanted[]): Reaction => ({ name, wants, react: async () => {} })
const none = () => []

test.each<[Wanted, 'created' | 'updated' | 'deleted', string, boolean]>([
  ['user.created', 'created', 'user', true],
  ['user.created', 'updated', 'user', false],
  ['user.created', 'created', 'organization', false],
  ['organizationMembership.*', 'deleted', 'organizationMembership', true],
  ['*', 'deleted', 'brandNew.thing', true],
  ['brandNew.thing.deleted', 'deleted', 'brandNew.thing', true],
])('%j hears of %s %s: %j', (wanted, what, kind, isWanted) => {
  expect(interestsOf([reaction('one', wanted)]).to(what, kind, none)).toEqual(isWanted ? ['one'] : [])
})

test('a reaction to some fields hears of an update of one of them, and fields are compared only if somebody asks', () => {
  const { to, wantUpdatesOf } = interestsOf([
    reaction('names', { on: 'user.updated', fields: ['first_name', 'last_name'] }),
    reaction('new', 'user.created'),
  ])
  expect(to('updated', 'user', () => ['last_name', 'updated_at'])).toEqual(['names'])
  expect(to('updated', 'user', () => ['updated_at'])).toEqual([])
  const untouched = () => {
    throw new Error('nobody asked')
  }
  expect(to('created', 'user', untouched)).toEqual(['new'])
  expect([wantUpdatesOf('user'), wantUpdatesOf('organization')]).toEqual([true, false])
})

test('what a reaction cannot want does not start', () => {
  expect(() => interestsOf([reaction('one', 'user.renamed' as Wanted)])).toThrow('user.renamed')
})

test.each([
  ['*', ['a', 'b']],
  ['b', ['b']],
  ['*,-a', ['b']],
  ['a b', ['a', 'b']],
])('REACTIONS=%s runs %j', (raw, expected) => {
  expect(chooseReactions([reaction('a'), reaction('b')])(raw).map(({ name }) => name)).toEqual(expected)
})

test('a reaction that there is not, and a name that cannot be one, are told by name', () => {
  expect(() => chooseReactions([reaction('a')])('a,welcome')).toThrow('"welcome" is no reaction: there are a')
  for (const names of [['Welcome'], ['a:b'], ['a', 'a'], ['']]) {
    expect(() => demandNames(names.map((name) => reaction(name)))).toThrow(JSON.stringify(names.at(-1)))
  }
})

test.each([
  ['8.8.8.8', true],
  ['172.15.255.255', true],
  ['172.16.0.1', false],
  ['127.255.0.1', false],
  ['0.0.0.0', false],
  ['100.64.0.1', false],
  ['169.254.169.254', false],
  ['224.0.0.1', false],
  ['255.255.255.255', false],
  ['2606:4700::1111', true],
  ['::1', false],
  ['::', false],
  ['::ffff:8.8.8.8', false],
  ['fd00::1', false],
  ['fe80::1%eth0', false],
  ['2001:db8::1', false],
  ['2002:7f00:1::', false],
  ['64:ff9b::7f00:1', false],
  ['nobody', false],
])('%s is an address that everybody may be told to go to: %j', (address, expected) => {
  expect(isPublicAddress(address)).toBe(expected)
})

const ENV = { REDIS_URL: 'redis://127.0.0.1:6379', DATABASE_URL: 'mysql://u:p@127.0.0.1/db' }
const SECRET = 'whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0'

function faultsOf(env: Record<string, string>): string {
  try {
    readWorkerConfig({ ...ENV, ...env })
    return ''
  } catch (error) {
    return error instanceof ConfigFaults ? error.message : String(error)
  }
}

test('change webhooks need a secret, an address that is one, and keep both to themselves', () => {
  expect(faultsOf({})).toBe('')
  const url = 'https://example.com/a,b?token=t0p'
  expect(faultsOf({ CHANGE_WEBHOOK_URLS: url })).toContain('CHANGE_WEBHOOK_SECRETS is not set')
  const both = { CHANGE_WEBHOOK_URLS: `${url}, https://example.org/x`, CHANGE_WEBHOOK_SECRETS: `${SECRET} ${SECRET}` }
  const { changeWebhooks } = readWorkerConfig({ ...ENV, ...both })
  expect(changeWebhooks?.urls.reveal().map(({ href }) => href)).toEqual([url, 'https://example.org/x'])
  expect(changeWebhooks?.secrets.reveal()).toEqual([SECRET, SECRET])
  expect(JSON.stringify(changeWebhooks)).not.toMatch(/t0p|whsec/)
  for (const [urls, problem] of [
    ['ftp://example.com', 'must begin with https://'],
    ['https://user:t0p@example.com/', 'must not hold a user'],
    [`${url} ${url}`, 'holds an address twice'],
  ] as const) {
    const said = faultsOf({ CHANGE_WEBHOOK_URLS: urls, CHANGE_WEBHOOK_SECRETS: SECRET })
    expect(said).toContain(`CHANGE_WEBHOOK_URLS ${problem}`)
    expect(said).not.toContain('t0p')
  }
  expect(faultsOf({ ...both, CHANGE_WEBHOOK_SECRETS: 'whsec_?' })).toContain('CHANGE_WEBHOOK_SECRETS is not')
  for (const short of ['whsec_c2VjcmV0c2VjcmV0c2VjcmV0', 'c2VjcmV0c2VjcmV0c2VjcmV0', 'whsec_c2VjcmV0']) {
    const said = faultsOf({ ...both, CHANGE_WEBHOOK_SECRETS: `${SECRET},${short}` })
    expect(said).toMatch(/CHANGE_WEBHOOK_SECRETS holds .*(fewer than 32 characters|shorter than 16 bytes)/)
    expect(said).not.toContain('c2VjcmV0')
  }
})

test('filters come back from the register as they went there, and the same filter is the same text', () => {
  const filters: Wanted[] = ['*', 'user.created', 'brandNew.thing.*', { on: 'user.updated', fields: ['b', 'a'] }]
  const [back] = wantedOnRegister(new Map([['one', filters.map(filterText)]]))
  expect(back).toEqual({
    name: 'one',
    wants: ['*', 'user.created', 'brandNew.thing.*', { on: 'user.updated', fields: ['a', 'b'] }],
  })
  expect(filterText({ on: 'user.updated', fields: ['b', 'a', 'b'] })).toBe(
    filterText({ on: 'user.updated', fields: ['a', 'b'] }),
  )
})

test.each([
  'no JSON',
  '{"on":"user.updated","where":"x"}',
  '"user.renamed"',
  '{"on":"user.updated","fields":[1]}',
  '7',
  'null',
])('a filter of a later release, %s, is taken for everything: nothing is missed', (text) => {
  expect(wantedOnRegister(new Map([['one', [text]]]))).toEqual([{ name: 'one', wants: ['*'] }])
})
