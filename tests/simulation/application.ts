import { setTimeout as pause } from 'node:timers/promises'
import { Failure } from '@clerk-mirror/events'
import type { DatabaseConnection } from '../../packages/mirror/src/database/connection.js'
import { classify } from '../../packages/mirror/src/database/failures.js'
import type { Edit } from './history.js'

/**
 * The result of the application's own write. `unavailable`: the database could not take it, and nothing was written.
 */
export type Edited = 'written' | 'refused' | 'unavailable'

const TRIES = 20

/**
 * The profile editor, as every writer of a user's row must be: it locks the user's object row first, a stub if it is
 * absent, and a tombstone refuses.
 */
export async function edit(connection: DatabaseConnection, change: Edit): Promise<Edited> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await editOnce(connection, change)
    } catch (error) {
      await connection.rollback()
      const failure = classify(error)
      if (failure.class === 'outage') return 'unavailable'
      if (failure.class !== 'contention' || attempt === TRIES) {
        throw new Failure('unknown', failure.code, `the application's own write failed: ${failure.message}`, error)
      }
      await pause(attempt)
    }
  }
}

async function editOnce(connection: DatabaseConnection, { userId, tagline, block }: Edit): Promise<Edited> {
  await connection.beginTransaction()
  await connection.query(
    "INSERT INTO clerk_objects (id, kind, updated_at_ms, timestamp_ms) VALUES (?, 'user', 0, 0) ON DUPLICATE KEY UPDATE id = id",
    [userId],
  )
  const [user] = await connection.query<{ deleted_at: Date | null }[]>(
    'SELECT deleted_at FROM clerk_objects WHERE id = ?',
    [userId],
  )
  if (user?.deleted_at !== null) {
    await connection.rollback()
    return 'refused'
  }
  await connection.query(
    'INSERT INTO users (clerk_id, tagline) VALUES (?, ?) ON DUPLICATE KEY UPDATE tagline = VALUES(tagline)',
    [userId, tagline],
  )
  await connection.query('INSERT INTO blocks (user_id, type, label) SELECT id, 1, ? FROM users WHERE clerk_id = ?', [
    block,
    userId,
  ])
  await connection.commit()
  return 'written'
}
