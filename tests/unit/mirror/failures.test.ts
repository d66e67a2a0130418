import type { FailureClass } from '@clerk-mirror/events'
import { expect, test } from 'vitest'
import { connectFailure } from '../../../packages/mirror/src/database/connect-failure.js'
import { parseDatabaseUrl } from '../../../packages/mirror/src/database/database-url.js'
import { classify } from '../../../packages/mirror/src/database/failures.js'

const PERSONAL = 'ada@example.com'

/** As Prisma has it under a raw query. */
const prismaError = (number: number) =>
  Object.assign(new Error(`refused '${PERSONAL}'`), {
    code: 'P2010',
    meta: { driverAdapterError: { cause: { originalCode: String(number) } } },
  })
const driverError = (number: number) => Object.assign(new Error(`refused '${PERSONAL}'`), { errno: number })

const CLASSES: [FailureClass, string, number[]][] = [
  ['contention', 'another transaction was in the way', [1020, 1205, 1213, 1412, 1615, 3100, 3101, 3572]],
  ['outage', 'a migration is missing', [1049, 1054, 1072, 1091, 1109, 1146, 1176]],
  ['outage', 'a column was added without a default', [1364, 1423]],
  ['outage', 'a table is not ours any more', [1031, 1036, 1099, 1100, 1286, 1288, 1347, 1348, 1471, 1785]],
  ['outage', 'a trigger or a view is broken', [1136, 1305, 1356, 1370, 1442, 1449, 1906, 3105]],
  ['outage', 'the account may not do it', [1044, 1142, 1143, 1227]],
  ['outage', 'the account cannot log in', [1045, 1129, 1130, 1698, 1820, 1862, 3118, 4151]],
  ['outage', 'no room', [1021, 1026, 1030, 1114, 1180]],
  [
    'outage',
    'a file is damaged',
    [1005, 1015, 1016, 1017, 1024, 1033, 1034, 1035, 1194, 1195, 1712, 1812, 1814, 1877, 1932],
  ],
  ['outage', 'the server is read-only', [1290, 1792, 1836, 1874, 1223]],
  ['outage', 'not in its cluster', [1047]],
  ['outage', 'the binary log does not take it', [1598, 1661, 1662, 1663, 1664, 1665, 1666, 1667, 1534]],
  ['outage', 'no memory, or on its way down', [1037, 1038, 1041, 1053, 1135, 1206, 1637]],
  ['outage', 'no connection left', [1040, 1203, 1226]],
  ['outage', 'the server lacks something', [1193, 1231, 1235]],
  ['unknown', 'too large: of the batch, or of its one event', [1153, 1197]],
  ['blocked', 'a unique index of the application', [1022, 1062, 1169, 1586, 1690, 1859]],
  ['blocked', 'a foreign key of the application', [1216, 1217, 1451, 1452, 1557, 1761, 1762, 3008]],
  ['blocked', 'another rule of the application', [1369, 1526, 1644, 1748]],
  ['poison', 'it refuses the value', [1048, 1264, 1292, 1366, 1406, 3140, 3819, 4025]],
  ['unknown', 'a number that nobody has met', [9999, 1105]],
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

test('an outage, and what the application stops, come with what to do', () => {
  for (const [failureClass, , numbers] of CLASSES) {
    if (failureClass !== 'outage' && failureClass !== 'blocked') continue
    for (const number of numbers) expect(classify(driverError(number)).message).toMatch(/ refused with error \d{4}: \w/)
  }
  expect(classify(driverError(1364)).message).toContain('give it a default')
})

test.each([
  [
    'outage',
    'target: x.-.primary: vttablet: rpc error: code = ResourceExhausted desc = pool connection limit exceeded',
  ],
  ['outage', 'target: x.0.primary: primary is not serving, there may be a reparent operation in progress'],
  ['contention', 'vttablet: rpc error: code = Aborted desc = transaction 17: in use: for tx killer rollback'],
  ['unknown', `something about ${PERSONAL}`],
])('of Vitess’ one number for everything the text makes it %s: %s', (failureClass, text) => {
  const nested = {
    code: 'P2010',
    meta: { driverAdapterError: { cause: { originalCode: '1105', originalMessage: text } } },
  }
  for (const error of [Object.assign(new Error(text), { errno: 1105 }), Object.assign(new Error('raw'), nested)]) {
    const failure = classify(error)
    expect(failure).toMatchObject({ class: failureClass, code: 'mysql_1105' })
    expect(failure.message).not.toContain(text)
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
