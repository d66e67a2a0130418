import { isPrivateName, parseNoProxy, parseProxy, proxyFor, Secret, withProxyNames } from '@clerk-mirror/runtime'
import { expect, test } from 'vitest'

const settings = (noProxy = '') => ({
  https: new Secret(parseProxy('http://secure:1')),
  http: new Secret(parseProxy('plain:2')),
  except: parseNoProxy(noProxy),
})
const hostFor = (url: string, noProxy?: string) => proxyFor(new URL(url), settings(noProxy))?.host ?? null

test('each scheme has its proxy, and one without has none', () => {
  expect(hostFor('https://a.example/x')).toBe('secure:1')
  expect(hostFor('http://a.example/x')).toBe('plain:2')
  expect(proxyFor(new URL('https://a.example'), { ...settings(), https: undefined })).toBeUndefined()
})

test('this machine is never reached through a proxy', () => {
  for (const host of ['127.0.0.1', 'localhost', '[::1]']) expect(hostFor(`http://${host}:8080/`)).toBeNull()
})

test.each([
  ['example.com', 'https://example.com/x', true],
  ['example.com', 'https://hooks.example.com/x', true],
  ['.example.com', 'https://hooks.example.com/x', true],
  ['*.example.com', 'https://hooks.example.com/x', true],
  ['EXAMPLE.com', 'https://hooks.Example.COM./x', true],
  ['example.com', 'https://badexample.com/x', false],
  ['a.b, example.com', 'https://example.com/x', true],
  ['example.com:8443', 'https://example.com:8443/x', true],
  ['example.com:8443', 'https://example.com/x', false],
  ['example.com:443', 'https://example.com/x', true],
  ['10.0.0.0/8', 'http://10.1.2.3/x', true],
  ['10.0.0.0/8', 'http://11.1.2.3/x', false],
  ['10.1.2.3', 'http://10.1.2.3/x', true],
  ['2.3', 'http://10.1.2.3/x', false],
  ['fd00::/8', 'http://[fd12::1]/x', true],
  ['fd12::1', 'http://[fd12::1]/x', true],
  ['[fd12::1]:80', 'http://[fd12::1]/x', true],
  ['*', 'https://anything.example/x', true],
  ['', 'https://anything.example/x', false],
])('NO_PROXY=%s reaches %s straight: %s', (noProxy, url, isStraight) => {
  expect(hostFor(url, noProxy) === null).toBe(isStraight)
})

test('names in lower case count first, and blank ones not at all', () => {
  expect(withProxyNames({ HTTPS_PROXY: 'http://a', https_proxy: 'http://b', http_proxy: ' ' })).toMatchObject({
    HTTPS_PROXY: 'http://b',
  })
  expect(withProxyNames({ http_proxy: ' ' })).not.toHaveProperty('HTTP_PROXY')
})

test('names that only a private network knows', () => {
  const isPrivate = (host: string) => isPrivateName(new URL(`http://${host}/`))
  for (const host of ['intranet', 'a.localhost', 'a.local', 'a.internal.', 'a.home.arpa'])
    expect(isPrivate(host), host).toBe(true)
  for (const host of ['example.com', '10.0.0.1', '[::1]', 'local.example']) expect(isPrivate(host), host).toBe(false)
})
