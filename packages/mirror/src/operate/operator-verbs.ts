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
import { eraseOwnedPage, eraseUserHead, sumCounts } from './erase.js'
import { eraseTied, findTied, type TiedPage, type TiedRequest } from './erase-tied.js'
import { beginRelease, type Released, type ReleaseRequest, releaseVersion } from './future-versions.js'
import {
  type AskRequest,
  type AskRun,
  type AskStep,
  askable,
  askNext,
  beginAsk,
  hasObjectsOf,
} from './reaction-backfill.js'
import { type RebuildStep, rebuildNext } from './rebuild.js'

/** The tables that a rebuild can make from the heads. */
export const TYPED_TABLES: readonly string[] = TYPED_KINDS.map(tableOf)

export type RebuildRequest = {
  /** Who asks; for the record. */
  actor: string
  tables: readonly string[]
  /** Begin anew although a rebuild of these tables was interrupted. */
  restart: boolean
}

/** A rebuild that has begun, now or earlier. Time in ms. */
export type RebuildRun = {
  actionId: bigint
  tables: readonly string[]
  beganAtMs: number
  /** The last object that was rebuilt before this run went on; null for one that begins. */
  after: string | null
  /** Heads in the database, for a sense of progress. */
  objects: number
}

/** `also`: objects that an operator has decided to remove too; for the record. */
export type EraseRequest = { userId: string; actor: string; also?: readonly string[] }

export type EraseBegun =
  /** `data`: the stored text of the user, which holds their addresses; null when it is gone or never came. */
  | { kind: 'begun'; actionId: bigint; data: string | null }
  /** The id is somebody or something else's; nothing was touched. */
  | { kind: 'not-a-user'; objectKind: string }

export type OperatorVerbs = {
  /** Begins a rebuild, or finds the one of the same tables and columns that was interrupted. @throws Failure */
  beginRebuild: (request: RebuildRequest) => Promise<RebuildRun>
  /** Rebuilds the next page; `counts` are of the whole run. @throws Failure; nothing of the page was changed then. */
  rebuildNext: (run: RebuildRun) => Promise<RebuildStep>
  /** Whether anything of this kind was ever told of. @throws Failure */
  hasObjectsOf: (kind: string) => Promise<boolean>
  /** How many objects a request would ask for. @throws Failure */
  askable: (request: Pick<AskRequest, 'kind' | 'ids'>) => Promise<number>
  /**
   * Begins to ask a reaction for objects as they are now, or finds the same request that was interrupted. @throws
   * Failure
   */
  beginAsk: (request: AskRequest) => Promise<AskRun>
  /** Asks for the next page. @throws Failure; nothing of the page was asked for then. */
  askNext: (run: AskRun) => Promise<AskStep>
  /** How many objects are stored, for a sense of progress. @throws Failure */
  countObjects: () => Promise<number>
  /** Puts on record that an erasure begins. @throws Failure */
  beginErase: (request: EraseRequest) => Promise<EraseBegun>
  /** Looks for the person in the next objects, removes those that are theirs, and gives the others. @throws Failure */
  eraseNextTied: (request: TiedRequest, after: string) => Promise<TiedPage>
  /** The same for these objects alone. @throws Failure */
  eraseTied: (request: TiedRequest, ids: readonly string[]) => Promise<Omit<TiedPage, 'upTo' | 'looked'>>
  /**
   * Tombstones the user, then, some at a time, all objects whose user they are. Again is harmless, also after an
   * interruption. Gives the rows removed by table, and as `objects` the heads that became tombstones. @throws Failure
   */
  eraseUser: (request: { userId: string; actionId: bigint }) => Promise<Counts>
  /** Notes in the ledger that these events are taken from the queue unapplied. @throws Failure */
  recordErased: (entries: readonly LedgerEntry[]) => Promise<void>
  recordDiscarded: (entries: readonly LedgerEntry[]) => Promise<void>
  /** Releases an object whose version is far in the future, so that Clerk's next event of it wins. @throws Failure */
  releaseVersion: (request: ReleaseRequest) => Promise<Released>
  /** Puts on record that an operator begins something. @throws Failure */
  beginAction: (action: NewAction) => Promise<bigint>
  /** Adds counts to the record of an operator's action, and that it is finished, if it is. @throws Failure */
  recordCounts: (actionId: bigint, counts: Counts, isFinished: boolean) => Promise<void>
}

export function operatorVerbs(
  prisma: PrismaClient,
  limits: TransactionLimits,
  clock: () => number,
  random: () => number,
): OperatorVerbs {
  const attempt = <T>(work: () => Promise<T>) => throughContention(work, random)
  const inTurn = <T>(work: (transaction: Transaction) => Promise<T>) =>
    attempt(() => inTransaction(prisma, limits, work))
  const record = (removal: Removal) => (entries: readonly LedgerEntry[]) =>
    inTurn((transaction) => recordRemoval(transaction, entries, removal, clock()))
  return {
    beginRebuild: (request) => attempt(() => beginRebuild(prisma, request, clock())),
    rebuildNext: ({ actionId, tables }) =>
      inTurn((transaction) => rebuildNext(transaction, actionId, kindsOf(tables), clock())),
    hasObjectsOf: (kind) => attempt(() => hasObjectsOf(prisma, kind)),
    askable: (request) => attempt(() => askable(prisma, request)),
    beginAsk: (request) => attempt(() => beginAsk(prisma, request, clock())),
    askNext: (run) => inTurn((transaction) => askNext(transaction, run, clock())),
    ...eraseVerbs(prisma, attempt, inTurn, clock),
    async releaseVersion(request) {
      const release = (actionId: bigint | null) =>
        inTurn((transaction) => releaseVersion(transaction, request, actionId, clock()))
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
type InTurn = <T>(work: (transaction: Transaction) => Promise<T>) => Promise<T>
type EraseVerbs = Pick<OperatorVerbs, 'countObjects' | 'beginErase' | 'eraseNextTied' | 'eraseTied' | 'eraseUser'>

function eraseVerbs(prisma: PrismaClient, attempt: Attempt, inTurn: InTurn, clock: () => number): EraseVerbs {
  const eraseIds = (request: TiedRequest, ids: readonly string[]) =>
    inTurn((transaction) => eraseTied(transaction, request, ids, clock()))
  return {
    countObjects: () => attempt(() => countObjects(prisma)),
    async beginErase({ userId, actor, also = [] }) {
      const select = { kind: true, data: true } as const
      const head = await attempt(() => prisma.clerkObject.findUnique({ where: { id: userId }, select }))
      if (head && head.kind !== 'user') return { kind: 'not-a-user', objectKind: head.kind }
      const details = also.length > 0 ? JSON.stringify({ also }) : null
      const action = { actor, action: 'erase', subjectId: userId, details } as const
      const actionId = await attempt(() => beginAction(prisma, action, clock()))
      return { kind: 'begun', actionId, data: head?.data ?? null }
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
      let counts = await inTurn((transaction) => eraseUserHead(transaction, userId, actionId, clock()))
      for (let isDone = false; !isDone; ) {
        const page = await inTurn((transaction) => eraseOwnedPage(transaction, userId, actionId, clock()))
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

/** Few are counted; of many the server's own estimate is good enough for a sense of progress, and reads no table. */
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

/** What was rebuilt before a column was added lacks it: that rebuild is not gone on with. */
function shapeOf(tables: readonly string[]): string {
  const columns = kindsOf(tables).map((kind) => Object.keys(PROJECTIONS[kind].columns))
  return createHash('sha256').update(JSON.stringify(columns)).digest('hex').slice(0, 16)
}
