import { timeValue } from '../database/sql.js'
import type { PrismaClient } from '../generated/client.js'

/** Numbers of items that an action dealt with, by name. */
export type Counts = Readonly<Record<string, number>>

export type NewAction = {
  actor: string
  action:
    | 'rebuild'
    | 'erase'
    | 'replay'
    | 'discard'
    | 'retry-now'
    | 'look'
    | 'ask'
    | 'forget'
    | 'restamp'
    | 'unregister'
    | 'release'
  subjectId: string | null
  /** JSON */
  details: string | null
}

/** Records the beginning of an operator's action, so that interrupted and failed actions are on record too. */
export async function beginAction(
  prisma: PrismaClient,
  { actor, action, subjectId, details }: NewAction,
  nowMs: number,
): Promise<bigint> {
  const data = { at: new Date(nowMs), actor: cutActor(actor), action, subjectId, details }
  const { id } = await prisma.operatorAction.create({ data, select: { id: true } })
  return id
}

/** Adds these counts to the recorded ones, and the time when the action ended. */
export async function recordCounts(
  prisma: PrismaClient,
  id: bigint,
  counts: Counts,
  finishedAtMs: number | null,
): Promise<void> {
  const before = await prisma.operatorAction.findUniqueOrThrow({ where: { id }, select: { counts: true } })
  const all = { ...readCounts(before.counts), ...counts }
  const data = { counts: JSON.stringify(all), finishedAt: timeValue(finishedAtMs) }
  await prisma.operatorAction.update({ where: { id }, data, select: { id: true } })
}

/** Reads a column that only this code writes. */
export const readCounts = (text: string | null): Counts => JSON.parse(text ?? '{}') as Counts

const ACTOR = 250
const cutActor = (actor: string) => Array.from(actor).slice(0, ACTOR).join('')
