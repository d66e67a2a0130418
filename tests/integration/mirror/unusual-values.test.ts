import { decode, type Envelope, parseMirroredKinds } from '@clerk-mirror/events'
import { type DecodedEvent, type Mirror, openMirror } from '@clerk-mirror/mirror'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openTestDatabase, type TestDatabase } from '../../support/mysql/database.js'

/*
 * Unusual values of the fields that users, or Clerk's next release, may fill: an object that can be
 * keyed is applied.
 */
let database: TestDatabase
let mirror: Mirror
beforeAll(async () => {
  database = await openTestDatabase()
  mirror = openMirror(database.options)
})
afterAll(async () => {
  await mirror[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

const everything = parseMirroredKinds('*')
let count = 0

/** `members` are JSON text: some odd values are no JavaScript values. */
function eventOf(type: string, members: string, timestamp = 1_700_000_000_000): DecodedEvent {
  count += 1
  const eventId = `msg_odd${count}`
  const body = `{"type":"${type}","timestamp":${timestamp},"data":{"id":"odd_${count}"${members && `,${members}`}}}`
  const envelope: Envelope = { eventId, type, objectId: null, instanceId: null, source: 'clerk', receivedAtMs: 1, body }
  const decoded = decode(envelope, everything)
  if (decoded.kind !== 'change') throw new Error(`not a change: ${JSON.stringify(decoded)}`)
  const entry = {
    eventId,
    type,
    objectId: null,
    instanceId: null,
    source: 'clerk' as const,
    receivedAtMs: 1,
    attempts: 1,
  }
  return { entry, change: decoded.change }
}

async function applyAll(events: DecodedEvent[]): Promise<void> {
  const results = await mirror.apply(events)
  expect(results.filter((result) => result.kind === 'failed' || result.outcome !== 'applied')).toEqual([])
}

const oddText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 700 }),
  fc.constantFrom(
    '',
    '\u0000',
    '\ud83d',
    '\udc00\ud83d',
    '😀'.repeat(600),
    "'; DROP TABLE users; --",
    '\\',
    '%s%n',
    '\u202e',
  ),
)
const oddNumber = fc.oneof(
  fc.double(),
  fc.maxSafeInteger(),
  fc.constantFrom(-1, 1e300, 2 ** 53, 253_402_300_800_000, -0),
)
const odd = fc.oneof(fc.constant(null), fc.boolean(), oddNumber, oddText, fc.jsonValue(), fc.array(oddText))

const FIELDS: Readonly<Record<string, string[]>> = {
  'user.updated': [
    'username',
    'first_name',
    'last_name',
    'email_addresses',
    'primary_email_address_id',
    'image_url',
    'external_id',
    'banned',
    'locked',
    'two_factor_enabled',
    'created_at',
    'updated_at',
    'last_sign_in_at',
    'public_metadata',
    'unsafe_metadata',
    'phone_numbers',
  ],
  'organization.updated': [
    'name',
    'slug',
    'image_url',
    'max_allowed_memberships',
    'public_metadata',
    'created_at',
    'updated_at',
    'created_by',
  ],
  'organizationMembership.updated': [
    'role',
    'public_metadata',
    'created_at',
    'updated_at',
    'organization',
    'public_user_data',
  ],
  'organizationInvitation.created': [
    'email_address',
    'role',
    'status',
    'expires_at',
    'created_at',
    'updated_at',
    'organization_id',
    'user_id',
  ],
  'organizationDomain.created': [
    'name',
    'enrollment_mode',
    'verification',
    'created_at',
    'updated_at',
    'organization_id',
  ],
  'somethingNew.happened': ['user_id', 'organization_id', 'updated_at', 'anything'],
}

test.each(Object.entries(FIELDS))('a %s with any values in its fields is applied', async (type, fields) => {
  const object = fc.record(Object.fromEntries(fields.map((field) => [field, odd])), { requiredKeys: [] })
  await fc.assert(
    fc.asyncProperty(fc.array(object, { minLength: 1, maxLength: 30 }), async (objects) => {
      await applyAll(objects.map((members) => eventOf(type, JSON.stringify(members).slice(1, -1))))
    }),
    { numRuns: 15 },
  )
})

const nested = (depth: number) => `${'{"a":['.repeat(depth)}1${']}'.repeat(depth)}`

test.each<[string, string]>([
  [
    'nested 20,000 deep',
    `"public_metadata":${nested(20_000)},"unsafe_metadata":${'['.repeat(20_000)}${']'.repeat(20_000)}`,
  ],
  ['a prototype', '"__proto__":{"username":"no"},"constructor":1,"public_metadata":{"__proto__":{"a":1}}'],
  [
    'numbers beyond 2^53',
    '"public_metadata":{"n":123456789012345678901234567890,"f":1e400,"z":-0.0},"created_at":1e999',
  ],
  ['duplicate keys', '"username":"first","username":"second","public_metadata":{"a":1,"a":2}'],
  ['keys in escapes', '"user\\u006eame":"escaped","public_\\u006detadata":{"a":1}'],
  ['lone surrogates in keys and values', '"public_metadata":{"\\ud83d":"\\udc00"},"first_name":"\\ud83d"'],
  ['NUL characters', '"first_name":"a\\u0000b","public_metadata":{"\\u0000":"\\u0000"}'],
  ['unknown fields', '"brand_new":{"x":[1,2,{"y":null}]}'],
  ['half a MiB of metadata', `"unsafe_metadata":{"a":"${'x'.repeat(512 * 1024)}"}`],
  ['nothing but an id', ''],
])('a user with %s is applied', async (_, members) => {
  await applyAll([eventOf('user.updated', members)])
})

test('what is kept is the text that Clerk sent', async () => {
  const metadata = '{"n":123456789012345678901234567890,"a":1,"a":2 , "deep":[[[[]]]]}'
  const event = eventOf('user.updated', `"username":"second","public_metadata":${metadata}`)
  await applyAll([event])
  const rows = await database.query('SELECT username, public_metadata FROM users WHERE clerk_id = ?', [
    event.change?.objectId,
  ])
  expect(rows).toEqual([{ username: 'second', public_metadata: metadata }])
})

test('a delete is applied whenever it claims to have happened', async () => {
  const times = [1, 253_402_300_800_000, 8_640_000_000_000_001, Number.MAX_SAFE_INTEGER]
  const deletes = times.map((timestamp) => eventOf('user.deleted', '"deleted":true', timestamp))
  await applyAll(deletes)
  const ids = deletes.map(({ change }) => change?.objectId)
  const rows = await database.query<{ n: bigint }>(
    `SELECT COUNT(*) AS n FROM clerk_objects WHERE deleted_at IS NOT NULL AND id IN (${ids.map(() => '?').join(',')})`,
    ids,
  )
  expect(Number(rows[0]?.n)).toBe(times.length)
})
