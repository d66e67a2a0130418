import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseDatabaseUrl } from '../../../packages/mirror/src/database/database-url.js'

const faultOf = (url: string): string => {
  try {
    parseDatabaseUrl(url)
  } catch (error) {
    return String(error)
  }
  return 'no fault'
}
const tlsOf = (rest: string) => parseDatabaseUrl(`mysql://u:p@${rest}`).tls

const VERIFIED = { rejectUnauthorized: true }

describe('what a database URL says', () => {
  test('a plain URL gives every part, with the usual port', () => {
    expect(parseDatabaseUrl('mysql://ada:pw@localhost/mirror')).toEqual({
      host: 'localhost',
      port: 3306,
      user: 'ada',
      password: 'pw',
      database: 'mirror',
      tls: false,
    })
  })

  test('mariadb:// is the same', () => {
    expect(parseDatabaseUrl('mariadb://a:b@db:3307/x')).toEqual(parseDatabaseUrl('mysql://a:b@db:3307/x'))
  })

  test('user, password and database may hold any character when percent-encoded', () => {
    const text = fc.string({ minLength: 1, unit: 'grapheme', maxLength: 20 })
    fc.assert(
      fc.property(text, text, (user, password) => {
        const url = `mysql://${encodeURIComponent(user)}:${encodeURIComponent(password)}@localhost/d%20b`
        expect(parseDatabaseUrl(url)).toMatchObject({ user, password, database: 'd b' })
      }),
    )
  })

  test('an account without a password is one', () => {
    expect(parseDatabaseUrl('mysql://root@localhost/mirror').password).toBe('')
  })

  test('the limit of the pool and the time to connect are honoured', () => {
    const options = parseDatabaseUrl('mysql://a:b@localhost/x?connection_limit=4&connect_timeout=20')
    expect(options).toMatchObject({ connectionLimit: 4, connectTimeoutMs: 20_000 })
  })

  test('an IPv6 address loses its brackets', () => {
    expect(parseDatabaseUrl('mysql://a:b@[fd00::7]:3307/x')).toMatchObject({ host: 'fd00::7', port: 3307 })
  })
})

describe('TLS', () => {
  test.each(['127.0.0.1', '127.9.9.9:3307', 'localhost', 'LOCALHOST', '[::1]', 'mysql', 'my_sql-2:3307'])(
    'is off for %s, which is this machine or a neighbour',
    (host) => expect(tlsOf(`${host}/x`)).toBe(false),
  )

  test.each([
    'aws.connect.psdb.cloud',
    'db.internal',
    '10.0.0.7',
    '192.168.1.2:3307',
    '[fd00::7]',
    '[::ffff:127.0.0.1]',
    '127.0.0.1.example.com',
    'localhost.example.com',
    'xn--a.b',
    'my%2Edb',
    '134744072', // 8.8.8.8 as one number
    '0x08080808',
  ])('is on and verified for %s', (host) => expect(tlsOf(`${host}/x`)).toEqual(VERIFIED))

  test('sslaccept=strict turns it on everywhere', () => {
    expect(tlsOf('localhost/x?sslaccept=strict')).toEqual(VERIFIED)
    expect(tlsOf('aws.connect.psdb.cloud/x?sslaccept=strict')).toEqual(VERIFIED)
  })

  test('sslaccept=accept_invalid_certs encrypts without verification', () => {
    expect(tlsOf('db.example.com/x?sslaccept=accept_invalid_certs')).toEqual({ rejectUnauthorized: false })
    expect(tlsOf('localhost/x?sslaccept=accept_invalid_certs')).toEqual({ rejectUnauthorized: false })
  })

  test('only sslaccept=disabled turns it off', () => {
    expect(tlsOf('db.example.com/x?sslaccept=disabled')).toBe(false)
  })

  test('sslcert names whom to trust, and means TLS on this machine too', () => {
    const tls = { rejectUnauthorized: true, caPath: '/etc/ca.pem' }
    expect(tlsOf('db.example.com/x?sslcert=/etc/ca.pem')).toEqual(tls)
    expect(tlsOf('localhost/x?sslcert=%2Fetc%2Fca.pem')).toEqual(tls)
  })

  test('sslcert beside a sslaccept that verifies nothing is a fault', () => {
    expect(faultOf('mysql://u:p@db/x?sslcert=/ca.pem&sslaccept=disabled')).toContain('sslcert')
    expect(faultOf('mysql://u:p@db/x?sslcert=/ca.pem&sslaccept=accept_invalid_certs')).toContain('sslcert')
  })
})

describe('a fault', () => {
  test.each([
    ['', 'not a URL'],
    ['localhost', 'not a URL'],
    ['mysql://user:pa/ss@host/db', 'not a URL'],
    ['postgres://u:p@db/x', 'mysql://'],
    ['mysql://u:p#q@db/x', 'not a URL'],
    ['mysql://u:1#q@db/x', '%23'],
    ['mysql://db/x', 'no user'],
    ['mysql://u:p@12/x?secret=1@db/x', '%40'],
    ['mysql://u:p@db', 'no database'],
    ['mysql://u:p@db/', 'no database'],
    ['mysql://u:p@db/x/y', 'database name'],
    [`mysql://u:p@db/${'x'.repeat(65)}`, 'database name'],
    ['mysql://u:p@db:0/x', 'port'],
    ['mysql://u:50%@db/x', 'password'],
    ['mysql://u:p@db/x?sslaccept=true', 'strict, accept_invalid_certs, disabled'],
    ['mysql://u:p@db/x?sslcert=', 'sslcert'],
    ['mysql://u:p@db/x?connection_limit=0', 'connection_limit'],
    ['mysql://u:p@db/x?connect_timeout=1.5', 'connect_timeout'],
    ['mysql://u:p@db/x?sslaccept=strict&sslaccept=disabled', 'twice'],
    ['mysql://u:p@db/x?unheard_of=1', 'holds a parameter, which is not known here'],
  ])('in %s is named', (url, named) => expect(faultOf(url)).toContain(named))

  test.each(['ssl', 'sslmode', 'SSLACCEPT', 'pool_timeout'])('is a parameter that is not known: %s', (name) => {
    const fault = faultOf(`mysql://u:p@db/x?${name}=1`)
    expect(fault).toContain(name)
    expect(fault).toContain('known: sslaccept, sslcert, connection_limit, connect_timeout')
  })

  test('never shows a piece of the URL’s secrets, however badly it is written', () => {
    // A secret with characters that end a part of a URL: every piece of it may be taken for another part.
    const piece = fc.constantFrom('SECRET', 'SECRET1', '12', 'x')
    const secret = fc.array(piece, { minLength: 1, maxLength: 5 }).chain((pieces) =>
      fc
        .array(fc.constantFrom('/', '?', '#', '@', ':', '%', '&', '=', '[', ']', ' '), {
          minLength: pieces.length - 1,
          maxLength: pieces.length - 1,
        })
        .map((marks) => pieces.map((text, index) => text + (marks[index] ?? '')).join('')),
    )
    fc.assert(
      fc.property(secret, fc.constantFrom('u', 'SECRET0'), (password, user) => {
        for (const tail of ['@db.example.com:3306/x?ssl=SECRET1', '@db/x', '@db', ''])
          expect(faultOf(`mysql://${user}:${password}${tail}`)).not.toContain('SECRET')
      }),
      { numRuns: 2_000, examples: [['SECRET1@SECRET&SECRET1/SECRET1?SECRET', 'u']] },
    )
  })
})
