import type { Version } from '@clerk-mirror/events'
import { throughContention } from '../database/contention.js'
import { classify } from '../database/failures.js'
import { placeholders } from '../database/sql.js'
import type { PrismaClient } from '../generated/client.js'
import {
  type OutboxDepth,
  type OutboxRow,
  outboxDepth,
  outboxOf,
  outboxReactions,
  type ReactionRequest,
  readOutbox,
  removeFromOutbox,
} from './outbox.js'

/** The public part of a user: the content of their public page. */
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
  /** Null for every kind but user. */
  publicUser: PublicUser | null
}

/** The reads and deletes that reactions need. All of them throw Failure when the database does not answer. */
export type ReactionReads = {
  /** The oldest requests that are not enqueued yet. */
  outbox: (reaction: string, limit: number) => Promise<OutboxRow[]>
  /** Names of the reactions with waiting requests. */
  outboxReactions: () => Promise<string[]>
  /** The waiting requests that this event made. */
  outboxOf: (eventId: string) => Promise<Pick<ReactionRequest, 'reaction' | 'objectId'>[]>
  removeFromOutbox: (rowIds: readonly bigint[]) => Promise<void>
  /** Of one reaction, or of all. */
  outboxDepth: (reaction?: string) => Promise<OutboxDepth>
  /** By id, in one statement. Deleted objects and stubs are left out. */
  objectsNow: (ids: readonly string[]) => Promise<Map<string, ObjectNow>>
}

export function reactionReads(prisma: PrismaClient, clock: () => number): ReactionReads {
  return {
    outbox: (reaction, limit) => readOutbox(prisma, reaction, limit).catch(fail),
    outboxReactions: () => outboxReactions(prisma).catch(fail),
    outboxOf: (eventId) => outboxOf(prisma, eventId).catch(fail),
    // The server scans a small table, and the scan waits for rows that other transactions lock.
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

/** Object row and typed row in one statement, so that both are from one moment. */
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
