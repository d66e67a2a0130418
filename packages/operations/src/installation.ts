import { randomUUID } from 'node:crypto'
import { Failure, type InstallationRefusal, type InstallationStamp, matchInstallations } from '@clerk-mirror/events'
import type { Mirror } from '@clerk-mirror/mirror'
import type { QueueInstallation, QueueView } from '@clerk-mirror/queue/operate'
import type { Ledger } from './ledger.js'
import { INSTALLATION_TRUST_MS } from './limits.js'
import { OperationsError } from './operations-error.js'

/** To which installation database and queue belong; null for one that has no mark yet. */
export type InstallationReport = {
  database: InstallationStamp | null
  queue: InstallationStamp | null
  /** Why nothing may be done with them; null when they belong together. */
  refusal: InstallationRefusal | null
}

export type RestampOptions = {
  actor: string
  /** Give both a new id, though they belong together: for a clone that is to be told from its original. */
  makeNew: boolean
}

export type RestampResult =
  | { kind: 'restamped'; from: string | null; to: string }
  /** They belong together, and no new id was asked for. */
  | { kind: 'unchanged'; id: string }

export type InstallationOperations = {
  show: () => Promise<InstallationReport>
  /** Gives the database the id of this queue; where the queue has none, a new one. */
  restamp: (options: RestampOptions) => Promise<RestampResult>
}

/** @throws OperationsError when queue and database belong to different installations. */
export async function demandMatch(queue: QueueInstallation, mirror: Mirror): Promise<void> {
  demand(await mirror.installation.read(), await queue.read())
}

/**
 * The same for a process that goes on: asks again after a second. While the database does not answer there is nothing
 * to compare, and operations that need it refuse by themselves.
 */
export function matchDemander(queue: QueueInstallation, ledger: Ledger): () => Promise<void> {
  let askedAtMs = Number.NEGATIVE_INFINITY
  return async () => {
    if (performance.now() - askedAtMs < INSTALLATION_TRUST_MS) return
    const answer = await ledger.ask((mirror) => mirror.installation.read().then((stamp) => ({ stamp }), unreadable))
    if (answer === null || 'unmigrated' in answer) return
    if ('failure' in answer) throw answer.failure
    demand(answer.stamp, await queue.read())
    askedAtMs = performance.now()
  }
}

function demand(database: InstallationStamp | null, queue: InstallationStamp | null): void {
  const match = matchInstallations(database, queue)
  if (match.kind === 'conflict') throw new OperationsError(match.refusal.code, match.refusal.message)
}

/** A database before its migration has no mark; an account that may not read it must not pass for one. */
function unreadable(error: unknown): { unmigrated: true } | { failure: Failure } {
  if (!(error instanceof Failure)) throw error
  if (error.code === 'mysql_1146') return { unmigrated: true }
  if (error.code === 'mysql_1142' || error.code === 'mysql_1143') return { failure: error }
  throw error
}

type Around = { queue: QueueInstallation; view: QueueView; ledger: Ledger }

export function installationOperations({ queue, view, ledger }: Around): InstallationOperations {
  const show = async (): Promise<InstallationReport> => {
    const database = await ledger.required.installation.read()
    const inQueue = await queue.read()
    const match = matchInstallations(database, inQueue)
    return { database, queue: inQueue, refusal: match.kind === 'conflict' ? match.refusal : null }
  }
  return {
    show,
    async restamp({ actor, makeNew }) {
      const mirror = ledger.required
      const { database, queue: inQueue } = await show()
      if (!makeNew && database && inQueue?.id === database.id) return { kind: 'unchanged', id: database.id }
      if (makeNew && (await view.workers()).length > 0) {
        throw new OperationsError('workers_alive', 'Workers are alive: stop them before both get a new id.')
      }
      const isTakenOver = inQueue !== null && !makeNew
      // Epoch 0: the first worker marks the queue, and does not take it for one that lost its data.
      const stamp = isTakenOver ? inQueue : { id: randomUUID(), epoch: inQueue === null ? 0 : 1 }
      const details = JSON.stringify({ from: database?.id ?? null, to: stamp.id })
      const actionId = await mirror.beginAction({ actor, action: 'restamp', subjectId: stamp.id, details })
      await mirror.installation.restamp(stamp)
      if (makeNew && inQueue !== null) await queue.restamp(stamp)
      await mirror.recordCounts(actionId, {}, true)
      return { kind: 'restamped', from: database?.id ?? null, to: stamp.id }
    },
  }
}
