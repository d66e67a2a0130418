import { ConfigFaults, readConfig, secret, webAddress } from '@clerk-mirror/runtime'
import { expect, test } from 'vitest'

test.each(['https://hooks.slack.com/services/T0/B0/xyz', 'http://127.0.0.1:4318'])('%s is a web address', (address) => {
  expect(webAddress(address)).toBe(address)
})

test.each([
  ...['hooks.slack.com/services', 'ftp://example.com/x', 'https://', 'javascript:alert(1)', '/services/T0'],
  ...['https:example.com', 'http:/example.com', 'https:///example.com'],
])('%s is none', (text) => {
  expect(() => webAddress(text)).toThrow('must begin with https:// or http://')
})

test('a fault in an address whose path is a secret does not show it', () => {
  const read = () =>
    readConfig({ NOTIFY_WEBHOOK_URL: 'hooks.slack.com/T0/hidden' }, (each) => ({
      url: each.optional('NOTIFY_WEBHOOK_URL', secret(webAddress)),
    }))
  expect(read).toThrow(ConfigFaults)
  expect(read).not.toThrow(/hidden/)
})
