import { lockObjects } from '../apply/object-rows.js'
import { throughContention } from '../database/contention.js'
import { isLockWait } from '../database/failures.js'
import { insert, type SqlValue, upsert } from '../database/sql.js'
import { inTransaction, type Transaction } from '../database/transaction.js'
import type { PrismaClient } from '../generated/client.js'
import { TRANSACTION_MS, TRANSACTION_WAIT_MS } from '../limits.js'

/** The part of a profile that its user edits, in the order in which it is shown. */
export type ProfileEdit = {
  tagline: string | null
  blocks: readonly { type: number; label: string | null; url: string }[]
}

const LIMITS = { maxWait: TRANSACTION_WAIT_MS, timeout: TRANSACTION_MS }

/** One transaction, retried after contention; a held row is waited for once. */
export const saveProfile = (
  prisma: PrismaClient,
  clerkId: string,
  edit: ProfileEdit,
  random: () => number,
): Promise<'saved' | 'deleted'> =>
  throughContention(
    () => inTransaction(prisma, LIMITS, (transaction) => writeProfile(transaction, clerkId, edit)),
    random,
    isLockWait,
  )

/**
 * The object row's lock comes first, as for every writer: a save and a delete of the same user are serialised, and
 * nothing is written after the tombstone. A user whose event has not come yet gets a row with nothing else.
 */
async function writeProfile(
  transaction: Transaction,
  clerkId: string,
  { tagline, blocks }: ProfileEdit,
): Promise<'saved' | 'deleted'> {
  const objects = await lockObjects(transaction, new Map([[clerkId, 'user']]))
  if (objects.get(clerkId)?.deleted) return 'deleted'
  const columns = ['clerk_id', 'tagline']
  await transaction.execute(upsert({ table: 'users', columns, updates: ['tagline'], rows: [[clerkId, tagline]] }))
  const users = await transaction.query<{ id: bigint }>('SELECT id FROM users WHERE clerk_id = ?', [clerkId])
  const userId = users[0]?.id ?? null
  await transaction.execute({ sql: 'DELETE FROM blocks WHERE user_id = ?', values: [userId] })
  if (blocks.length > 0) {
    const rows = blocks.map(({ type, label, url }, position): SqlValue[] => [userId, type, url, label, position])
    const table = { table: 'blocks', columns: ['user_id', 'type', 'url', 'label', 'position'] }
    await transaction.execute(insert({ ...table, rows }))
  }
  return 'saved'
}
