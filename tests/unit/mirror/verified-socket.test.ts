import { expect, test } from 'vitest'
import { presentAsMysql } from '../../../packages/mirror/src/database/verified-socket.js'

const packet = (body: string) => {
  const header = Buffer.alloc(4)
  header.writeUIntLE(Buffer.byteLength(body, 'latin1'), 0, 3)
  return Buffer.concat([header, Buffer.from(body, 'latin1')])
}
const greeting = (version: string, capabilities = '\xfe\xff') =>
  packet(
    `\x0a${version}\0\x01\0\0\0abcdefgh\0${capabilities}\x2d\x02\0\xbf\x81\x15\0\0\0\0\0\0\x1d\0\0\0` +
      'ijklmnopqrst\0mysql_native_password\0',
  )

test.each(['5.5.5-10.11.6-MariaDB', '11.8.2-MariaDB-log', '8.4.0', '9.7.4-Vitess'])(
  'a server of version %s looks like MySQL, and nothing else about it changes',
  (version) => {
    const shown = greeting(version)
    expect(presentAsMysql(shown)).toBe(true)
    expect(shown).toEqual(greeting('8.0.0'.padEnd(version.length, '-'), '\xff\xff'))
  },
)

test('a server that refuses at once keeps its words', () => {
  const refusal = packet('\xff\x10\x04Too many connections')
  const shown = Buffer.from(refusal)
  expect(presentAsMysql(shown)).toBe(true)
  expect(shown).toEqual(refusal)
})

test.each([
  ['half a greeting', greeting('10.11.6-MariaDB').subarray(0, 40)],
  ['a greeting and more', Buffer.concat([greeting('10.11.6-MariaDB'), Buffer.from('x')])],
  ['another protocol', Buffer.from('SSH-2.0-OpenSSH_9.6\r\n')],
  ['another version of the protocol', packet('\x09old\0')],
  ['a version too short to be one', greeting('8.4')],
  ['a greeting without numbers', packet('\x0a10.11.6-MariaDB\0\x01')],
  ['an empty packet', packet('')],
  ['three bytes', Buffer.from('abc')],
])('%s is not taken for a greeting', (_what, bytes) => {
  expect(presentAsMysql(Buffer.from(bytes))).toBe(false)
})
