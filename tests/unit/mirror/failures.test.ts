import type { FailureClass } from '@clerk-mirror/events'
import { expect, test } from 'vitest'
import { connectFailure } from '../../../packages/mirror/src/connect-failure.js'
import { parseDatabaseUrl } from '../../../packages/mirror/src/database-url.js'
import { classify } from '../../../packages/mirror/src/failures.js'

const PERSONAL = 'ada@example.com'

/** As Prisma has it under a raw query. */
const prismaError = (number: number) =>
  Object.assign(new Error(`refused '${PERSONAL}'`), {
    code: 'P2010',
    meta: { driverAdapterError: { cause: { originalCode: String(number) } } },
  })
const driverError = (number: number) => Object.assign(new Error(`refused '${PERSONAL}'`), { errno: number })

const CLASSES: [FailureClass, string, number[]][] = [
  ['contention', 'another transaction was in the way', [1205, 1213, 3572]],
  ['outage', 'the account may not do it', [1044, 1045, 1129, 1130, 1142, 1143, 1227, 1698]],
  ['outage', 'a migration is missing', [1049, 1054, 1146]],
  ['outage', 'the server is read-only', [1290, 1792, 1836, 3100, 3101]],
  ['outage', 'no room', [1021, 1114]],
  ['outage', 'no memory, or on its way down', [1037, 1038, 1041, 1053]],
  ['outage', 'no connection left', [1040, 1203, 1226]],
  ['poison', 'it refuses the value', [1048, 1264, 1292, 1366, 1406, 3140, 3819, 4025]],
  ['unknown', 'too large a packet: of the batch, or of its one event', [1153]],
  ['unknown', 'a number that nobody has met', [9999, 1062]],
]

test.each(CLASSES)('%s: %s', (failureClass, _, numbers) => {
  for (const number of numbers) {
    const failures = [classify(prismaError(number)), classify(driverError(number))]
    for (const failure of failures) {
      expect(failure).toMatchObject({ class: failureClass, code: `mysql_${number}` })
      expect(failure.message).not.toContain(PERSONAL)
    }
  }
})

test('an error without a number has the name that it came with', () => {
  const codeOf = (error: unknown) => classify(error).code
  expect(codeOf(Object.assign(new Error('gone'), { code: 'EPIPE' }))).toBe('mysql_epipe')
  expect(codeOf(Object.assign(new Error('slow'), { code: 'P2028' }))).toBe('mysql_p2028')
  expect(codeOf('odd')).toBe('mysql_unknown')
})

const options = parseDatabaseUrl('mysql://mirror:secret@db.example.com:3307/x')
const UNREACHABLE = ['ECONNREFUSED', 'ECONNRESET', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT']

test.each<[string, (string | number)[]]>([
  ['database_unreachable', [...UNREACHABLE, 45009]],
  ['database_silent', [45012, 45026]],
  ['database_login_refused', [1045, 1698]],
  ['database_access_denied', [1044]],
  ['database_missing', [1049]],
  ['database_full', [1040, 1203, 1226]],
  ['database_tls_unavailable', [45023]],
  ['database_tls_required', [45044, 3159]],
  ['database_certificate_refused', ['CERT_HAS_EXPIRED', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'ERR_TLS_CERT_ALTNAME_INVALID']],
  ['database_connect_failed', [45999, 'EODD']],
])('a connect that fails is called %s', (code, causes) => {
  for (const cause of causes) {
    const key = typeof cause === 'number' ? 'errno' : 'code'
    const failure = connectFailure(options, Object.assign(new Error('no'), { [key]: cause }))
    expect({ cause, code: failure.code }).toEqual({ cause, code })
    expect(failure.message).toContain('db.example.com:3307')
    expect(failure.message).not.toMatch(/secret|mirror@/)
  }
})
