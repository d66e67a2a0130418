/** Columns by name: times in milliseconds since 1970, JSON as its text. */
export type Row = Record<string, string | number | boolean | null>
export type ClerkUser = { id: string; updated_at?: number; [field: string]: unknown }
export type ExpectedObject = {
  updatedAtMs: number
  timestampMs: number
  eventId: string
  deleted: boolean
  data: ClerkUser
}
/** The expected tables once all these events were processed; keys are Clerk's user ids. */
export type Expected = { users: Map<string, Row>; objects: Map<string, ExpectedObject>; eventIds: Set<string> }

/**
 * The mirror's rules a second time, as plainly as possible, sharing no code with the mirror and independent of the
 * order of the deliveries: where both agree, the result is right, or was misunderstood twice in the same way.
 */
export function expectedTables(deliveries: Iterable<{ eventId: string; body: string }>): Expected {
  const expected: Expected = { users: new Map(), objects: new Map(), eventIds: new Set() }
  for (const { eventId, body } of deliveries) {
    const { data, timestamp, type }: { data: ClerkUser; timestamp?: number; type: string } = JSON.parse(body)
    const stampedMs = timestamp === undefined || timestamp >= 1e11 ? timestamp : timestamp * 1000
    const updatedAtMs = data.updated_at ?? stampedMs ?? 0
    const deleted = type.endsWith('.deleted')
    const object = { updatedAtMs, timestampMs: stampedMs ?? updatedAtMs, eventId, deleted, data }
    const rival = expected.objects.get(data.id)
    if (rival === undefined || outranks(object, rival)) expected.objects.set(data.id, object)
    expected.eventIds.add(eventId)
  }
  for (const [id, object] of expected.objects) if (!object.deleted) expected.users.set(id, userRow(object.data))
  return expected
}

function outranks(a: ExpectedObject, b: ExpectedObject): boolean {
  if (a.deleted !== b.deleted) return a.deleted
  if (a.updatedAtMs !== b.updatedAtMs) return a.updatedAtMs > b.updatedAtMs
  if (a.timestampMs !== b.timestampMs) return a.timestampMs > b.timestampMs
  return a.eventId > b.eventId
}

function userRow(user: ClerkUser): Row {
  const row: Row = { public_metadata: JSON.stringify(user['public_metadata'] ?? null) }
  for (const flag of ['banned', 'locked', 'two_factor_enabled']) row[flag] = user[flag] === true
  for (const time of ['created_at', 'updated_at', 'last_sign_in_at']) row[time] = (user[time] as number) ?? null
  for (const name of ['username', 'first_name', 'last_name']) row[name] = cut(user[name], 120)
  const names = [user['first_name'], user['last_name']].filter(Boolean)
  row['display_name'] = names.length === 0 ? null : cut(names.join(' '), 250)
  const emails = user['email_addresses'] as { id: string; email_address: string }[]
  row['email'] = cut(emails.find(({ id }) => id === user['primary_email_address_id'])?.email_address, 320)
  row['external_id'] = cut(user['external_id'], 250)
  const imageUrl = cut(user['image_url'], Number.POSITIVE_INFINITY)
  row['img_url'] = [...(imageUrl ?? '')].length > 500 ? null : imageUrl
  return row
}

/** Cut by code points: a cut between the halves of an emoji would leave text that the database refuses. */
const cut = (value: unknown, width: number) =>
  typeof value === 'string' && value !== '' ? [...value.toWellFormed()].slice(0, width).join('') : null
