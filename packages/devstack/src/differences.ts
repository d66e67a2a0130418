import type { ClerkUser, Expected, Row } from './model.js'

export interface Difference {
  clerkId: string
  column: string
  expected: string
  found: string
}

/** The actual content of the tables, in the model's terms. `data` is the object row's text, null once it is deleted. */
export interface Found {
  users: Map<string, Row>
  objects: Map<string, FoundObject>
}

export interface FoundObject {
  updatedAtMs: number
  timestampMs: number
  eventId: string | null
  deleted: boolean
  data: string | null
}

/** One entry for each column of each user that differs from the model; empty when all is right. */
export function differences(expected: Expected, found: Found): Difference[] {
  const list: Difference[] = []
  const compare = (clerkId: string, column: string, want: unknown, have: unknown) => {
    const [wanted, had] = [printed(want), printed(have)]
    if (wanted !== had) list.push({ clerkId, column, expected: wanted, found: had })
  }
  for (const clerkId of everyKey(expected.users, found.users)) {
    const [want, have] = [expected.users.get(clerkId), found.users.get(clerkId)]
    compare(clerkId, 'users', want && 'a row', have && 'a row')
    if (want === undefined || have === undefined) continue
    for (const column of Object.keys(want)) {
      const isJson = column === 'public_metadata'
      compare(
        clerkId,
        column,
        isJson ? parsed(want[column]) : want[column],
        isJson ? parsed(have[column]) : have[column],
      )
    }
  }
  for (const clerkId of everyKey(expected.objects, found.objects)) {
    const [want, have] = [expected.objects.get(clerkId), found.objects.get(clerkId)]
    compare(clerkId, 'clerk_objects', want && 'an object row', have && 'an object row')
    if (want === undefined || have === undefined) continue
    compare(clerkId, 'deleted_at', want.deleted, have.deleted)
    compare(clerkId, 'event_id', want.eventId, have.eventId)
    compare(clerkId, 'updated_at_ms', want.updatedAtMs, have.updatedAtMs)
    compare(clerkId, 'timestamp_ms', want.timestampMs, have.timestampMs)
    compare(clerkId, 'data', want.deleted ? null : withoutBackupCodes(want.data), parsed(have.data))
  }
  return list
}

function everyKey(expected: Map<string, unknown>, found: Map<string, unknown>): Set<string> {
  return new Set([...expected.keys(), ...found.keys()])
}

/** Backup codes are secrets that never reach MySQL: the member is either absent or emptied. */
function withoutBackupCodes(user: ClerkUser): ClerkUser {
  const phones = user['phone_numbers'] as object[]
  return { ...user, phone_numbers: phones.map((phone) => ({ ...phone, backup_codes: undefined })) }
}

function parsed(text: unknown): unknown {
  if (typeof text !== 'string') return text
  return JSON.parse(text, (key, value: unknown) => (key === 'backup_codes' && value === null ? undefined : value))
}

/** Half an emoji is replaced on both sides: no UTF-8 column can hold it. */
function printed(value: unknown): string {
  const wellFormed = (_key: string, inner: unknown) => (typeof inner === 'string' ? inner.toWellFormed() : inner)
  return JSON.stringify(value, wellFormed) ?? 'nothing'
}
