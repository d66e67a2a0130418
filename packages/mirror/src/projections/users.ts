import type { ClerkUser } from '@clerk-mirror/events'
import { byKey, placeholders, type SqlValue, timeValue, upsert } from '../sql.js'
import type { Transaction } from '../transaction.js'

/** Widths of `users`' columns in characters; the schema test holds them against the table. */
const WIDTH = { username: 120, name: 120, displayName: 250, email: 320, imgUrl: 500, externalId: 250 }

const COLUMNS = [
  'clerk_id',
  'username',
  'first_name',
  'last_name',
  'display_name',
  'email',
  'img_url',
  'external_id',
  'banned',
  'locked',
  'two_factor_enabled',
  'created_at',
  'updated_at',
  'last_sign_in_at',
  'public_metadata',
  'synced_at',
]

/** Writes what Clerk owns of the rows; `tagline`, the application's own, is not named here and so never touched. */
export async function writeUsers(
  transaction: Transaction,
  users: readonly { id: string; user: ClerkUser }[],
  nowMs: number,
): Promise<void> {
  if (users.length === 0) return
  const rows = [...users].sort(byKey(({ id }) => id)).map(({ id, user }) => rowOf(id, user, nowMs))
  await transaction.execute(upsert({ table: 'users', columns: COLUMNS, updates: COLUMNS.slice(1), rows }))
}

function rowOf(id: string, user: ClerkUser, nowMs: number): SqlValue[] {
  return [
    id,
    cut(user.username, WIDTH.username),
    cut(user.firstName, WIDTH.name),
    cut(user.lastName, WIDTH.name),
    cut(displayName(user), WIDTH.displayName),
    cut(user.email, WIDTH.email),
    // A URL that was cut would lead somewhere else.
    user.imageUrl !== null && characters(user.imageUrl) > WIDTH.imgUrl ? null : user.imageUrl,
    cut(user.externalId, WIDTH.externalId),
    user.banned,
    user.locked,
    user.twoFactorEnabled,
    timeValue(user.createdAtMs),
    timeValue(user.updatedAtMs),
    timeValue(user.lastSignInAtMs),
    user.publicMetadata,
    timeValue(nowMs),
  ]
}

/** The names that are present; null when there is none. */
function displayName({ firstName, lastName }: ClerkUser): string | null {
  return [firstName, lastName].filter((name) => name !== null).join(' ') || null
}

/** MySQL counts characters, JavaScript UTF-16 units: cutting those could halve an emoji. */
function cut(text: string | null, width: number): string | null {
  if (text === null || text.length <= width) return text
  return Array.from(text).slice(0, width).join('')
}

const characters = (text: string) => Array.from(text).length

/** Removes the rows of deleted users and what the application hung on them. */
export async function removeUsers(transaction: Transaction, clerkIds: readonly string[]): Promise<void> {
  if (clerkIds.length === 0) return
  const rows = await transaction.query<{ id: bigint }>(
    `SELECT id FROM users WHERE clerk_id IN (${placeholders(clerkIds.length)}) FOR UPDATE`,
    clerkIds,
  )
  if (rows.length === 0) return
  const ids = rows.map((row) => row.id)
  const marks = placeholders(ids.length)
  await transaction.execute({ sql: `DELETE FROM blocks WHERE user_id IN (${marks})`, values: ids })
  await transaction.execute({ sql: `DELETE FROM users WHERE id IN (${marks})`, values: ids })
}
