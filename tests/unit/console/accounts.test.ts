import { ConfigFaults } from '@clerk-mirror/runtime'
import { expect, test } from 'vitest'
import { accountOf, parseAccounts } from '../../../apps/console/src/auth/accounts.js'
import { readConsoleConfig } from '../../../apps/console/src/config.js'

const ADA = 'ada:operator:0123456789abcdefghijklmnopqrstuv'
const BOB = 'bob:viewer:abcdefghij0123456789:with:colons'

test('accounts are separated by commas or white space, and a token may hold colons', () => {
  for (const between of [',', ' ', '\n', ' , ']) {
    expect(parseAccounts(`${ADA}${between}${BOB}`)).toEqual([
      { name: 'ada', role: 'operator', token: '0123456789abcdefghijklmnopqrstuv' },
      { name: 'bob', role: 'viewer', token: 'abcdefghij0123456789:with:colons' },
    ])
  }
})

test.each([
  ['a token alone', '0123456789abcdefghijklmnopqrstuv'],
  ['an unknown role', 'ada:admin:0123456789abcdefghijklmnopqrstuv'],
  ['no name', ':operator:0123456789abcdefghijklmnopqrstuv'],
  ['a short token', 'ada:operator:0123456789'],
  ['one of 31 characters', 'ada:operator:0123456789abcdefghijklmnopqrstu'],
  ['characters that no header carries', 'ada:operator:0123456789abcdefghijklmnopqrstuvé'],
  ['two accounts of one name', `${ADA},ada:viewer:zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz`],
  ['one token of two accounts', `${ADA},eve:viewer:0123456789abcdefghijklmnopqrstuv`],
  ['nothing but commas', ', ,'],
])('%s is refused, and the fault does not quote it', (_, raw) => {
  expect(() => parseAccounts(raw)).toThrow()
  try {
    parseAccounts(raw)
  } catch (error) {
    for (const part of raw.split(/[:,\s]+/).filter((each) => each.length > 8)) expect(String(error)).not.toContain(part)
  }
})

test('a token finds its own account and nothing else finds one', () => {
  const accounts = parseAccounts(`${ADA},${BOB}`)
  expect(accountOf('0123456789abcdefghijklmnopqrstuv', accounts)?.name).toBe('ada')
  for (const wrong of ['', '0123456789abcdefghi', '0123456789abcdefghijklmnopqrstuvk', 'ada', ADA]) {
    expect(accountOf(wrong, accounts)).toBeNull()
  }
})

test('without a token the console does not start, and says so beside its other faults', () => {
  const faults = () => readConsoleConfig({ CONSOLE_PORT: '70000' })
  expect(faults).toThrow(ConfigFaults)
  expect(faults).toThrow(/REDIS_URL[\s\S]*DATABASE_URL[\s\S]*CONSOLE_TOKEN is not set[\s\S]*CONSOLE_PORT/)
})
