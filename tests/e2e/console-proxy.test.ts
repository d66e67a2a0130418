import { expect, test } from 'vitest'
import { WRONG_TOKENS_MAX } from '../../apps/console/src/limits.js'
import { OPERATOR_TOKEN, openConsoleWorld } from '../support/console.js'

const WRONG = 'a-wrong-token-of-a-guesser'

/** Signs in as a client that came over HTTPS to a proxy, from this address. */
async function signIn(consoleUrl: string, token: string, from: string) {
  const headers = { 'x-forwarded-for': from, 'x-forwarded-proto': 'https' }
  const body = new URLSearchParams({ token })
  const response = await fetch(`${consoleUrl}/sign-in`, { method: 'POST', body, headers, redirect: 'manual' })
  return { status: response.status, cookie: response.headers.get('set-cookie') ?? '' }
}

async function failUntilItWaits(consoleUrl: string, from: string): Promise<void> {
  for (let count = 0; count < WRONG_TOKENS_MAX; count += 1) await signIn(consoleUrl, WRONG, from)
}

test('behind a proxy that is named, wrong tokens count by the address behind it, and the cookie is Secure', async () => {
  await using world = await openConsoleWorld({ trustProxy: ['loopback'] })
  await failUntilItWaits(world.consoleUrl, '198.51.100.1')
  expect((await signIn(world.consoleUrl, WRONG, '198.51.100.1')).status).toBe(429)
  expect((await signIn(world.consoleUrl, WRONG, '198.51.100.2')).status).toBe(401)
  const { status, cookie } = await signIn(world.consoleUrl, OPERATOR_TOKEN, '198.51.100.2')
  expect(status).toBe(303)
  expect(cookie).toContain('; Secure')
  expect(world.consoleLogged.join()).toContain('"address":"198.51.100.1"')
})

test('behind one that is not, nobody chooses the address under which they are counted', async () => {
  await using world = await openConsoleWorld()
  expect((await signIn(world.consoleUrl, OPERATOR_TOKEN, '198.51.100.1')).cookie).not.toContain('Secure')
  await failUntilItWaits(world.consoleUrl, '198.51.100.1')
  expect((await signIn(world.consoleUrl, WRONG, '198.51.100.2')).status).toBe(429)
})
