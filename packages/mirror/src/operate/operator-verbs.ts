import { createHash } from 'node:crypto'
import type { TypedKind } from '@clerk-mirror/events'
import { type LedgerEntry, type Removal, recordRemoval } from '../apply/ledger.js'
import { throughContention } from '../database/contention.js'
import { inTransaction, type Transaction, type TransactionLimits } from '../database/transaction.js'
import type { PrismaClient } from '../generated/client.js'
import { OBJECTS_COUNTED } from '../limits.js'
import { TYPED_KINDS, tableOf } from '../projections/rows.js'
import { PROJECTIONS } from '../projections/tables.js'
import { beginAction, type Counts, type NewAction, recordCounts } from './audit-log.js'
import { eraseOwnedPage, eraseUserObject, sumCounts } from './erase.js'
import { eraseTied, findTied, type TiedPage, type TiedRequest } from './erase-tied.js'
import { beginRelease, type ReleaseRequest, releaseVersion, type VersionRelease } from './future-versions.js'
import {
  type BackfillRequest,
  type BackfillRun,
  type BackfillStep,
  backfillNext,
  beginBackfill,
  countBackfill,
  hasObjectsOf,
} from './reaction-backfill.js'
import { type RebuildStep, rebuildNext } from './rebuild.js'

/** The tables that a rebuild can compute from the object rows. */
export const TYPED_TABLES: readonly string[] = TYPED_KINDS.map(tableOf)

export type RebuildRequest = {
  /** The operator, for the record. */
  actor: string
  tables: readonly string[]
  /** Start over although a rebuild of these tables was interrupted. */
  restart: boolean
}

/** A rebuild that has begun, now or earlier. Time in ms. */
export type RebuildRun = {
  actionId: bigint
  tables: readonly string[]
  beganAtMs: number
  /** The last object that was rebuilt before this run resumed; null for a new run. */
  after: string | null
  /** Object rows in the database, for a progress bar. */
  objects: number
}

/** `also`: objects that the operator chose to remove too; for the record. */
export type EraseRequest = { userId: string; actor: string; also?: readonly string[] }

export type EraseBegun =
  /** `data`: the stored text of the user, which holds their addresses; null when it is gone or never came. */
  | { kind: 'begun'; actionId: bigint; data: string | null }
  /** The id belongs to an object of another kind; nothing was touched. */
  | { kind: 'not-a-user'; objectKind: string }

export type OperatorVerbs = {
  /** Begins a rebuild, or resumes an interrupted one of the same tables and columns. @throws Failure */
  beginRebuild: (request: RebuildRequest) => Promise<RebuildRun>
  /** Rebuilds the next page; `counts` are of the whole run. @throws Failure; then nothing of the page was changed. */
  rebuildNext: (run: RebuildRun) => Promise<RebuildStep>
  /** Whether the mirror has ever received an object of this kind. @throws Failure */
  hasObjectsOf: (kind: string) => Promise<boolean>
  /** The number of objects that a backfill request covers. @throws Failure */
  countBackfill: (request: Pick<BackfillRequest, 'kind' | 'ids'>) => Promise<number>
  /**
   * Begins to request a reaction for objects in their present state, or resumes an interrupted request. @throws Failure
   */
  beginBackfill: (request: BackfillRequest) => Promise<BackfillRun>
  /** Requests the next page. @throws Failure; then nothing of the page was requested. */
  backfillNext: (run: BackfillRun) => Promise<BackfillStep>
  /** The number of stored objects, for a progress bar. @throws Failure */
  countObjects: () => Promise<number>
  /** Records the beginning of an erasure. @throws Failure */
  beginErase: (request: EraseRequest) => Promise<EraseBegun>
  /** Searches the next objects for the person, removes their own, and returns the others. @throws Failure */
  eraseNextTied: (request: TiedRequest, after: string) => Promise<TiedPage>
  /** The same for these objects alone. @throws Failure */
  eraseTied: (request: TiedRequest, ids: readonly string[]) => Promise<Omit<TiedPage, 'upTo' | 'looked'>>
  /**
   * Tombstones the user, then, page by page, all objects that the user owns. Idempotent, also after an interruption.
   * Returns the removed rows by table, and as `objects` the object rows that became tombstones. @throws Failure
   */
  eraseUser: (request: { userId: string; actionId: bigint }) => Promise<Counts>
  /** Records in the ledger that these events were taken from the queue unapplied. @throws Failure */
  recordErased: (entries: readonly LedgerEntry[]) => Promise<void>
  recordDiscarded: (entries: readonly LedgerEntry[]) => Promise<void>
  /** Releases an object from a version far in the future, so that Clerk's next event of it wins. @throws Failure */
  releaseVersion: (request: ReleaseRequest) => Promise<VersionRelease>
  /** Records the beginning of an operator's action. @throws Failure */
  beginAction: (action: NewAction) => Promise<bigint>
  /** Adds counts to the record of an operator's action, and its end, if it is finished. @throws Failure */
  recordCounts: (actionId: bigint, counts: Counts, isFinished: boolean) => Promise<void>
}

export function operatorVerbs(
  prisma: PrismaClient,
  limits: TransactionLimits,
  clock: () => number,
  random: () => number,
): OperatorVerbs {
  const attempt = <T>(work: () => Promise<T>) => throughContention(work, random)
  const transact = <T>(work: (transaction: Transaction) => Promise<T>) =>
    attempt(() => inTransaction(prisma, limits, work))
  const record = (removal: Removal) => (entries: readonly LedgerEntry[]) =>
    transact((transaction) => recordRemoval(transaction, entries, removal, clock()))
  return {
    beginRebuild: (request) => attempt(() => beginRebuild(prisma, request, clock())),
    rebuildNext: ({ actionId, tables }) =>
      transact((transaction) => rebuildNext(transaction, actionId, kindsOf(tables), clock())),
    hasObjectsOf: (kind) => attempt(() => hasObjectsOf(prisma, kind)),
    countBackfill: (request) => attempt(() => countBackfill(prisma, request)),
    beginBackfill: (request) => attempt(() => beginBackfill(prisma, request, clock())),
    backfillNext: (run) => transact((transaction) => backfillNext(transaction, run, clock())),
    ...eraseVerbs(prisma, attempt, transact, clock),
    async releaseVersion(request) {
      const release = (actionId: bigint | null) =>
        transact((transaction) => releaseVersion(transaction, request, actionId, clock()))
      const found = await release(null)
      if (request.dryRun || found.kind !== 'released') return found
      return release(await attempt(() => beginRelease(prisma, request, clock())))
    },
    recordErased: record('erased'),
    recordDiscarded: record('discarded'),
    beginAction: (action) => attempt(() => beginAction(prisma, action, clock())),
    recordCounts: (actionId, counts, isFinished) =>
      attempt(() => recordCounts(prisma, actionId, counts, isFinished ? clock() : null)),
  }
}

type Attempt = <T>(work: () => Promise<T>) => Promise<T>
type Transact = <T>(work: (transaction: Transaction) => Promise<T>) => Promise<T>
type EraseVerbs = Pick<OperatorVerbs, 'countObjects' | 'beginErase' | 'eraseNextTied' | 'eraseTied' | 'eraseUser'>

function eraseVerbs(prisma: PrismaClient, attempt: Attempt, transact: Transact, clock: () => number): EraseVerbs {
  const eraseIds = (request: TiedRequest, ids: readonly string[]) =>
    transact((transaction) => eraseTied(transaction, request, ids, clock()))
  return {
    countObjects: () => attempt(() => countObjects(prisma)),
    async beginErase({ userId, actor, also = [] }) {
      const select = { kind: true, data: true } as const
      const stored = await attempt(() => prisma.clerkObject.findUnique({ where: { id: userId }, select }))
      if (stored && stored.kind !== 'user') return { kind: 'not-a-user', objectKind: stored.kind }
      const details = also.length > 0 ? JSON.stringify({ also }) : null
      const action = { actor, action: 'erase', subjectId: userId, details } as const
      const actionId = await attempt(() => beginAction(prisma, action, clock()))
      return { kind: 'begun', actionId, data: stored?.data ?? null }
    },
    async eraseNextTied(request, after) {
      const { upTo, looked, batches } = await attempt(() => findTied(prisma, request.person, after))
      const page: TiedPage = { upTo, looked, counts: {}, mentions: [] }
      for (const ids of batches) {
        const { counts, mentions } = await eraseIds(request, ids)
        page.counts = sumCounts(page.counts, counts)
        page.mentions = [...page.mentions, ...mentions]
      }
      return page
    },
    eraseTied: eraseIds,
    async eraseUser({ userId, actionId }) {
      let counts = await transact((transaction) => eraseUserObject(transaction, userId, actionId, clock()))
      for (let isDone = false; !isDone; ) {
        const page = await transact((transaction) => eraseOwnedPage(transaction, userId, actionId, clock()))
        counts = sumCounts(counts, page.counts)
        isDone = page.isDone
      }
      return counts
    },
  }
}

async function beginRebuild(
  prisma: PrismaClient,
  { actor, tables, restart }: RebuildRequest,
  nowMs: number,
): Promise<RebuildRun> {
  const objects = await countObjects(prisma)
  const details = JSON.stringify({ tables: kindsOf(tables).map(tableOf), columns: shapeOf(tables) })
  const last = await prisma.operatorAction.findFirst({
    where: { action: 'rebuild', details },
    orderBy: { id: 'desc' },
    select: { id: true, at: true, finishedAt: true, position: true },
  })
  if (last && last.finishedAt === null && !restart) {
    return { actionId: last.id, tables, beganAtMs: last.at.getTime(), after: last.position, objects }
  }
  const actionId = await beginAction(prisma, { actor, action: 'rebuild', subjectId: null, details }, nowMs)
  return { actionId, tables, beganAtMs: nowMs, after: null, objects }
}

/** Few are counted; for many the server's own estimate is good enough for a progress bar, and reads no table. */
async function countObjects(prisma: PrismaClient): Promise<number> {
  const [counted] = await prisma.$queryRawUnsafe<{ rows: bigint }[]>(
    `SELECT COUNT(*) AS \`rows\` FROM (SELECT 1 FROM clerk_objects LIMIT ${OBJECTS_COUNTED}) AS counted`,
  )
  const rows = Number(counted?.rows ?? 0)
  if (rows < OBJECTS_COUNTED) return rows
  const [estimated] = await prisma.$queryRawUnsafe<{ rows: bigint | null }[]>(
    "SELECT TABLE_ROWS AS `rows` FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'clerk_objects'",
  )
  return Math.max(rows, Number(estimated?.rows ?? 0))
}

const kindsOf = (tables: readonly string[]): TypedKind[] => TYPED_KINDS.filter((kind) => tables.includes(tableOf(kind)))

/** Rows that were rebuilt before a column was added lack it: such a rebuild is not resumed. */
function shapeOf(tables: readonly string[]): string {
  const columns = kindsOf(tables).map((kind) => Object.keys(PROJECTIONS[kind].columns))
  return createHash('sha256').update(JSON.stringify(columns)).digest('hex').slice(0, 16)
}
