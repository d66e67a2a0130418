import { connectOnce } from '../../../packages/mirror/src/database/connection.js'
import { parseDatabaseUrl } from '../../../packages/mirror/src/database/database-url.js'
import { edit } from '../../simulation/application.js'
import { markerOf } from '../../simulation/history.js'
import type { OwnData, Query } from '../../support/invariants.js'
import type { Stream } from './stream.js'

/** The rows that the application has written, by user: its own, and left alone by every sync. */
export type Own = Map<string, OwnData>

const EDITS = 20

/** The rows that an interrupted run has written. */
export async function readOwn(query: Query): Promise<Own> {
  const rows = await query<{ id: string; tagline: string; label: string }>(
    'SELECT u.clerk_id AS id, u.tagline, b.label FROM users u JOIN blocks b ON b.user_id = u.id',
  )
  const own: Own = new Map()
  for (const { id, tagline, label } of rows) own.set(id, { tagline, blocks: [...(own.get(id)?.blocks ?? []), label] })
  return own
}

/** The application writes to some people's rows, while events come. */
export async function editSome(adminUrl: string, own: Own, stream: Stream): Promise<void> {
  await using connection = await connectOnce(parseDatabaseUrl(adminUrl))
  const created = stream.delivered.flat().filter(({ type }) => type === 'user.created')
  for (const { objectId: userId } of created.slice(-EDITS)) {
    const text = { tagline: `tagline ${markerOf(userId)}`, block: `block ${markerOf(userId)}` }
    if ((await edit(connection, { userId, ...text })) !== 'written') continue
    own.set(userId, { tagline: text.tagline, blocks: [...(own.get(userId)?.blocks ?? []), text.block] })
  }
}
