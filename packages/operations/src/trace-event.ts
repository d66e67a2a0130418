import { compareVersions, decode, parseMirroredKinds, type Version } from '@clerk-mirror/events'
import type { LedgerRow, Mirror, RecordedAction, StoredObject } from '@clerk-mirror/mirror'
import type { QueuedEvent, QueueView } from '@clerk-mirror/queue/operate'
import { idsOf } from './dead-letter-filter.js'
import type { Ledger } from './ledger.js'
import { ascii } from './ledger-entry.js'
import { TRACE_EVENTS, TRACE_WENT_ALONG } from './limits.js'
import type { ReactionDesk } from './reaction-desk.js'
import type { Comparison, EventTrace, ReactionTrace, TraceStep } from './trace-types.js'

/** From queue, ledger and object rows; null when neither queue nor ledger know of it. */
export async function traceEvent(
  queue: QueueView,
  reactions: ReactionDesk,
  ledger: Ledger,
  asked: string,
): Promise<EventTrace | null> {
  const [id = asked] = idsOf(asked)
  const queued = await queue.find(id)
  // While it is in the queue, that alone tells most; else the ledger is the only one that can know of it.
  const known = queued
    ? await ledger.ask((mirror) => readKnown(mirror, id, queued))
    : await readKnown(ledger.required, id)
  const { row = null, object = null, actions = [], outbox = [], along = [] } = known ?? {}
  if (!queued && !row) return null
  const objectId = queued?.envelope?.objectId ?? row?.objectId ?? null
  const runs = objectId === null ? [] : await reactions.to(id, [objectId, ...along])
  const ours = (object?.version?.eventId === id && object.version) || null
  const version = ours ?? (queued && versionOf(queued))
  return {
    kind: 'event',
    id,
    type: queued?.type ?? row?.type ?? '',
    objectId,
    source: queued?.envelope?.source ?? row?.source ?? 'clerk',
    where: queued?.where ?? 'decided',
    outcome: row?.outcome ?? null,
    attempts: queued?.attempts ?? row?.attempts ?? 0,
    reason: queued?.reason ?? null,
    lagMs: row ? Math.max(0, row.appliedAtMs - row.receivedAtMs) : null,
    version,
    storedVersion: object?.version ?? null,
    comparison: known ? compare(id, version, object, row) : 'unknown',
    reactions: [...outbox.map(inOutbox), ...runs],
    steps: stepsOf(queued, row, actions),
  }
}

async function readKnown(mirror: Mirror, id: string, queued?: QueuedEvent) {
  const [row, actions, outbox] = await Promise.all([
    mirror.ledgerRow(id),
    mirror.recordedActions({ subjectId: id, limit: TRACE_EVENTS }),
    mirror.outboxOf(id),
  ])
  const objectId = ascii(queued?.envelope?.objectId ?? row?.objectId ?? null, 64)
  if (objectId === null) return { row, actions, outbox }
  const isDelete = /^(user|organization)\.deleted$/.test(queued?.type ?? row?.type ?? '')
  const [object, along] = await Promise.all([
    mirror.storedObject(objectId),
    isDelete ? mirror.wentWith(objectId, TRACE_WENT_ALONG) : [],
  ])
  return { row, actions, outbox, object, along }
}

const inOutbox = (asked: { reaction: string; objectId: string }): ReactionTrace => ({
  ...asked,
  ...{ id: null, where: 'outbox', attempts: 0, reason: null },
})

const everything = parseMirroredKinds('*')

function versionOf({ envelope }: QueuedEvent): Version | null {
  if (!envelope || typeof envelope.body !== 'string') return null
  const decoded = decode({ ...envelope, body: envelope.body }, everything)
  return decoded?.kind === 'change' ? decoded.change.version : null
}

function compare(id: string, version: Version | null, head: StoredObject | null, row: LedgerRow | null): Comparison {
  if (head?.version?.eventId === id) return 'is-stored'
  if (head?.deletedAtMs != null) return 'deleted'
  if (!head?.version) return 'nothing-stored'
  if (version) return compareVersions(version, head.version) > 0 ? 'newer' : 'older'
  // An applied event whose version is not the stored one was replaced, and only a newer version can do that.
  return row?.outcome === 'stale' || row?.outcome === 'applied' ? 'older' : 'unknown'
}

function stepsOf(queued: QueuedEvent | null, row: LedgerRow | null, actions: readonly RecordedAction[]): TraceStep[] {
  const steps: (TraceStep | false)[] = [{ kind: 'received', atMs: queued?.receivedAtMs ?? row?.receivedAtMs ?? 0 }]
  if (queued) {
    const { queuedAtMs, startedAtMs, dueAtMs, failedAtMs, reason } = queued
    steps.push(
      queuedAtMs !== null && queued.where !== 'retrying' && { kind: 'queued', atMs: queuedAtMs },
      startedAtMs !== null && { kind: 'started', atMs: startedAtMs },
      dueAtMs !== null && { kind: 'due', atMs: dueAtMs },
      failedAtMs !== null && reason !== null && { kind: 'given-up', atMs: failedAtMs, reason },
    )
  }
  if (row) steps.push({ kind: 'decided', atMs: row.appliedAtMs, outcome: row.outcome })
  return [...steps.filter((step) => step !== false), ...actions.map(stepOf)].sort((a, b) => a.atMs - b.atMs)
}

export const stepOf = ({ atMs, actor, action }: RecordedAction): TraceStep => ({
  kind: 'operator',
  atMs,
  actor,
  action,
})
