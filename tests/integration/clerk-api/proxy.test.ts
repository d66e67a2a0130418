import { parseNoProxy, Secret } from '@clerk-mirror/runtime'
import { expect, test } from 'vitest'
import { apiErrorOf, clientOf, idsOf, openClerkPair, putMany } from '../../support/clerk-stand-in.js'
import { openConnectProxy } from '../../support/http/connect-proxy.js'
import { collect } from '../../support/until.js'

const proxied = (proxy: { url: string }, noProxy = '') => ({
  http: new Secret(new URL(proxy.url.replace('//', '//ada:s%40crt@'))),
  https: new Secret(new URL(proxy.url)),
  except: parseNoProxy(noProxy),
})

test('requests go through the proxy, with its account, which Clerk does not see', async () => {
  await using pair = await openClerkPair()
  await using proxy = await openConnectProxy()
  proxy.names['clerk.example.com'] = Number(new URL(pair.clerk.url).port)
  const url = new URL('http://clerk.example.com')
  await using api = clientOf(pair.clerk, { url, proxies: proxied(proxy) })
  putMany(pair.clerk, 'user', 700)
  const accounts: unknown[] = []
  pair.clerk.intercept = (_, headers) => void accounts.push(headers['proxy-authorization'])

  expect(idsOf(await collect(api.walk('user')))).toHaveLength(700)
  expect(proxy.asked[0]).toBe('GET http://clerk.example.com/v1/users?order_by=%2Bcreated_at&limit=500')
  expect(proxy.accounts[0]).toBe(`Basic ${Buffer.from('ada:s@crt').toString('base64')}`)
  expect(new Set(accounts)).toEqual(new Set([undefined]))
})

test('addresses that NO_PROXY names, and this machine, are asked directly', async () => {
  await using pair = await openClerkPair()
  await using proxy = await openConnectProxy()
  await using api = clientOf(pair.clerk, { proxies: proxied(proxy) })
  expect(await api.count('user')).toBe(0)
  const url = new URL('http://clerk.invalid')
  await using other = clientOf(pair.clerk, { url, proxies: proxied(proxy, '.invalid'), retryPolicy: { tries: 1 } })
  await apiErrorOf(other.count('user'))
  expect(proxy.asked).toEqual([])
})

test('a proxy that refuses is named in the error, and its account is not', async () => {
  await using pair = await openClerkPair()
  await using proxy = await openConnectProxy()
  proxy.refuses = 407
  const url = new URL('https://clerk.example.com')
  await using api = clientOf(pair.clerk, { url, proxies: { ...proxied(proxy), https: proxied(proxy).http } })
  const { code, message } = await apiErrorOf(api.count('user'))
  expect(code).toBe('clerk_api_unavailable')
  expect(message).toContain('the proxy answers with 407')
  expect(message).not.toMatch(/ada|s%40crt|s@crt/)
})
