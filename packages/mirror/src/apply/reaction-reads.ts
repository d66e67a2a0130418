import type { Version } from '@clerk-mirror/events'
import { throughContention } from '../database/contention.js'
import { classify } from '../database/failures.js'
import { placeholders } from '../database/sql.js'
import type { PrismaClient } from '../generated/client.js'
import {
  type AskedReaction,
  type OutboxDepth,
  type OutboxRow,
  outboxDepth,
  outboxOf,
  outboxReactions,
  readOutbox,
  removeFromOutbox,
} from './outbox.js'

/** What everybody may know of a user: what their public page shows. */
export type PublicUser = {
  username: string | null
  displayName: string | null
  imgUrl: string | null
  tagline: string | null
}

/** An object that is alive. */
export type ObjectNow = {
  id: string
  kind: string
  version: Version
  userId: string | null
  organizationId: string | null
  /** Clerk's own JSON text. */
  data: string
  /** Null for every other kind. */
  publicUser: PublicUser | null
}

/** What reactions are handed over and done with. All of it throws Failure when the database does not answer. */
export type ReactionReads = {
  /** The oldest that were asked for and not handed over. */
  outbox: (reaction: string, limit: number) => Promise<OutboxRow[]>
  /** Names of those that something waits for in the outbox. */
  outboxReactions: () => Promise<string[]>
  /** The reactions to what this event did that are there. */
  outboxOf: (eventId: string) => Promise<Pick<AskedReaction, 'reaction' | 'objectId'>[]>
  removeFromOutbox: (rowIds: readonly bigint[]) => Promise<void>
  /** Of one reaction, or of all. */
  outboxDepth: (reaction?: string) => Promise<OutboxDepth>
  /** By id, in one statement. Without those that are deleted, or that nothing was told of yet. */
  objectsNow: (ids: readonly string[]) => Promise<Map<string, ObjectNow>>
}

export function reactionReads(prisma: PrismaClient, clock: () => number): ReactionReads {
  return {
    outbox: (reaction, limit) => readOutbox(prisma, reaction, limit).catch(fail),
    outboxReactions: () => outboxReactions(prisma).catch(fail),
    outboxOf: (eventId) => outboxOf(prisma, eventId).catch(fail),
    // A small table is scanned, past rows of transactions that lock others of it.
    removeFromOutbox: (rowIds) => throughContention(() => removeFromOutbox(prisma, rowIds), Math.random),
    outboxDepth: (reaction) => outboxDepth(prisma, clock(), reaction).catch(fail),
    objectsNow: (ids) => objectsNow(prisma, ids).catch(fail),
  }
}

type Row = Record<'id' | 'kind' | 'event_id' | 'data', string> &
  Record<'user_id' | 'organization_id', string | null> &
  Record<'updated_at_ms' | 'timestamp_ms', bigint> & {
    row_id: bigint | null
    username: string | null
    display_name: string | null
    img_url: string | null
    tagline: string | null
  }

/** Head and row in one statement, so that they are of one moment. */
const objectsNowSql = (ids: number) => `
SELECT o.id, o.kind, o.event_id, o.updated_at_ms, o.timestamp_ms, o.user_id, o.organization_id, o.data,
  u.id AS row_id, u.username, u.display_name, u.img_url, u.tagline
FROM clerk_objects AS o LEFT JOIN users AS u ON u.clerk_id = o.id
WHERE o.id IN (${placeholders(ids)}) AND o.event_id IS NOT NULL AND o.deleted_at IS NULL`

async function objectsNow(prisma: PrismaClient, ids: readonly string[]): Promise<Map<string, ObjectNow>> {
  const rows = await prisma.$queryRawUnsafe<Row[]>(objectsNowSql(ids.length), ...ids)
  return new Map(rows.map((row) => [row.id, objectOf(row)]))
}

function objectOf(row: Row): ObjectNow {
  const { username, display_name: displayName, img_url: imgUrl, tagline } = row
  return {
    ...{ id: row.id, kind: row.kind, userId: row.user_id, organizationId: row.organization_id, data: row.data },
    version: {
      updatedAtMs: Number(row.updated_at_ms),
      timestampMs: Number(row.timestamp_ms),
      eventId: row.event_id,
    },
    publicUser: row.row_id === null ? null : { username, displayName, imgUrl, tagline },
  }
}

function fail(error: unknown): never {
  throw classify(error)
}
