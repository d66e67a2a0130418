import { createHash } from 'node:crypto'
import type { TypedKind } from '@clerk-mirror/events'
import { beginAction, type Counts, type NewAction, recordCounts } from './actions.js'
import { type AskRequest, type AskRun, type AskStep, askable, askNext, beginAsk, hasObjectsOf } from './ask.js'
import { throughContention } from './contention.js'
import { eraseUser } from './erase.js'
import type { PrismaClient } from './generated/client.js'
import { type LedgerEntry, type Removal, recordRemoval } from './ledger.js'
import { TYPED_KINDS, tableOf } from './projections/rows.js'
import { PROJECTIONS } from './projections/tables.js'
import { type RebuildStep, rebuildNext } from './rebuild.js'
import { inTransaction, type Transaction, type TransactionLimits } from './transaction.js'

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

export type EraseRequest = { userId: string; actor: string }

/** `counts`: rows removed by table, and as `objects` the heads that became tombstones. */
export type Erased =
  | { kind: 'erased'; actionId: bigint; counts: Counts }
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
  /** Begins to ask a reaction for objects as they are now, or finds the same request that was interrupted. @throws Failure */
  beginAsk: (request: AskRequest) => Promise<AskRun>
  /** Asks for the next page. @throws Failure; nothing of the page was asked for then. */
  askNext: (run: AskRun) => Promise<AskStep>
  /** Tombstones the user, with all that names them. Again is harmless. @throws Failure */
  eraseUser: (request: EraseRequest) => Promise<Erased>
  /** Notes in the ledger that these events are taken from the queue unapplied. @throws Failure */
  recordErased: (entries: readonly LedgerEntry[]) => Promise<void>
  recordDiscarded: (entries: readonly LedgerEntry[]) => Promise<void>
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
    async eraseUser({ userId, actor }) {
      const head = await attempt(() => prisma.clerkObject.findUnique({ where: { id: userId }, select: { kind: true } }))
      if (head && head.kind !== 'user') return { kind: 'not-a-user', objectKind: head.kind }
      const action = { actor, action: 'erase', subjectId: userId, details: null } as const
      const actionId = await attempt(() => beginAction(prisma, action, clock()))
      const counts = await inTurn((transaction) => eraseUser(transaction, userId, actionId, clock()))
      return { kind: 'erased', actionId, counts }
    },
    recordErased: record('erased'),
    recordDiscarded: record('discarded'),
    beginAction: (action) => attempt(() => beginAction(prisma, action, clock())),
    recordCounts: (actionId, counts, isFinished) =>
      attempt(() => recordCounts(prisma, actionId, counts, isFinished ? clock() : null)),
  }
}

async function beginRebuild(
  prisma: PrismaClient,
  { actor, tables, restart }: RebuildRequest,
  nowMs: number,
): Promise<RebuildRun> {
  const objects = await prisma.clerkObject.count()
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

const kindsOf = (tables: readonly string[]): TypedKind[] => TYPED_KINDS.filter((kind) => tables.includes(tableOf(kind)))

/** What was rebuilt before a column was added lacks it: that rebuild is not gone on with. */
function shapeOf(tables: readonly string[]): string {
  const columns = kindsOf(tables).map((kind) => Object.keys(PROJECTIONS[kind].columns))
  return createHash('sha256').update(JSON.stringify(columns)).digest('hex').slice(0, 16)
}
