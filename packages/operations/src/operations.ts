import { type DatabaseOptions, Failure, openMirror } from '@clerk-mirror/mirror'
import {
  type EnvelopeKeys,
  openDeadLetters,
  openQueueInstallation,
  openQueueView,
  openStoredEvents,
  type Partitions,
  QueueUnavailable,
  type RedisTarget,
} from '@clerk-mirror/queue/operate'
import { Activity, type ActivityPoint } from './activity.js'
import { auditPage, type OperatorAction, type Page } from './audit.js'
import { type DeadLetterOperations, deadLetterOperations } from './dead-letters.js'
import { type InstallationOperations, installationOperations, matchDemander } from './installation.js'
import { Ledger } from './ledger.js'
import { OperationsError } from './operations-error.js'
import { openReactionDesk } from './reaction-desk.js'
import type { ReactionOperations } from './reactions.js'
import { readStatus, type Status } from './status.js'
import { trace } from './trace.js'
import type { Trace } from './trace-types.js'
import { type VersionOperations, versionOperations } from './versions.js'

/**
 * An operator's operations, for pages and commands. All throw OperationsError; times are ms since 1970. Without a
 * database, or while it does not answer, operations that read the queue alone still work.
 */
export type Operations = AsyncDisposable & {
  /** Events that were given up. */
  deadLetters: DeadLetterOperations
  /** Runs of reactions that were given up. */
  reactionDeadLetters: DeadLetterOperations
  reactions: ReactionOperations
  /** The one thing that works while queue and database belong to different installations. */
  installation: InstallationOperations
  /** Objects that a version far in the future keeps as they are. */
  versions: VersionOperations
  /** The history of an event (msg_…, or any svix-id) or of a Clerk object; null for an unknown id. */
  trace: (id: string) => Promise<Trace | null>
  status: () => Promise<Status>
  /** The last hour from the ledger: a point for each minute, oldest first; the last one is the minute that runs. */
  activity: () => Promise<ActivityPoint[]>
  /** Operators' actions, newest first. */
  audit: (options: { cursor?: string | null; limit: number }) => Promise<Page<OperatorAction>>
  /** False when the database is not named or did not answer last time: then lists hold settled dead letters too. */
  isLedgerAsked: () => boolean
}

export type OperationsConfig = {
  redis: RedisTarget
  partitions: Partitions
  /** Null: operations that need the database refuse with `database_required`. */
  database: DatabaseOptions | null
  /** Open encrypted payloads; everything but looking at those works without. */
  envelopeKeys?: EnvelopeKeys | undefined
}

/** Redis must be there; the database need not be yet. @throws OperationsError */
export async function openOperations(config: OperationsConfig): Promise<Operations> {
  const { database } = config
  const mirror = database && openMirror(database)
  const ledger = new Ledger(mirror)
  const [deadLetters, queue, stored, reactions, mark] = await told(openQueue(config, ledger))
  const activity = new Activity()
  const demandMatch = matchDemander(mark, ledger)
  const matched: Matched = (work) => told(demandMatch().then(work))
  const installation = installationOperations({ queue: mark, view: queue, ledger })
  const versions = versionOperations(ledger)
  return {
    deadLetters: matchedDeadLetters(deadLetterOperations(deadLetters, ledger), matched),
    reactionDeadLetters: matchedDeadLetters(reactions.deadLetters, matched),
    reactions: {
      list: () => matched(() => reactions.verbs.list()),
      ask: (options) => matched(() => reactions.verbs.ask(options)),
      remove: (...asked) => matched(() => reactions.verbs.remove(...asked)),
      forget: (...asked) => matched(() => reactions.verbs.forget(...asked)),
    },
    installation: {
      show: () => told(installation.show()),
      restamp: (options) => told(installation.restamp(options)),
    },
    versions: {
      list: () => matched(() => versions.list()),
      release: (...asked) => matched(() => versions.release(...asked)),
    },
    trace: (id) => matched(() => trace({ queue, stored, reactions, ledger }, id)),
    status: () => matched(() => readStatus(queue, reactions, ledger, Date.now())),
    activity: () => matched(() => activity.lastHour(ledger.required.activitySince, Date.now())),
    audit: (options) => matched(() => auditPage(ledger.required, options)),
    isLedgerAsked: () => ledger.isAsked(),
    async [Symbol.asyncDispose]() {
      for (const each of [deadLetters, queue, stored, reactions, mark]) each[Symbol.dispose]()
      await mirror?.[Symbol.asyncDispose]()
    },
  }
}

/** All five, or none that would be left open. */
async function openQueue({ redis, partitions, envelopeKeys }: OperationsConfig, ledger: Ledger) {
  const opened: Disposable[] = []
  const keep = <T extends Disposable>(resource: T): T => {
    opened.push(resource)
    return resource
  }
  try {
    const deadLetters = keep(await openDeadLetters(redis, partitions, envelopeKeys))
    const queue = keep(await openQueueView(redis, partitions, envelopeKeys))
    const stored = keep(await openStoredEvents(redis, partitions, envelopeKeys))
    const mark = keep(openQueueInstallation(redis, partitions, 'operator'))
    return [deadLetters, queue, stored, keep(await openReactionDesk(redis, partitions, ledger)), mark] as const
  } catch (error) {
    for (const resource of opened) resource[Symbol.dispose]()
    throw error
  }
}

/** Does the work when queue and database belong to one installation. */
type Matched = <T>(work: () => Promise<T>) => Promise<T>

const matchedDeadLetters = (deadLetters: DeadLetterOperations, matched: Matched): DeadLetterOperations => ({
  page: (...asked) => matched(() => deadLetters.page(...asked)),
  async *each(filter) {
    await matched(async () => {})
    try {
      yield* deadLetters.each(filter)
    } catch (error) {
      throw inOurTerms(error)
    }
  },
  retryNow: (...asked) => matched(() => deadLetters.retryNow(...asked)),
  causes: (filter) => matched(() => deadLetters.causes(filter)),
  show: (id) => matched(() => deadLetters.show(id)),
  recordLook: (...asked) => matched(() => deadLetters.recordLook(...asked)),
  recordLooks: (...asked) => matched(() => deadLetters.recordLooks(...asked)),
  replay: (...asked) => matched(() => deadLetters.replay(...asked)),
  discard: (...asked) => matched(() => deadLetters.discard(...asked)),
})

const told = <T>(work: Promise<T>): Promise<T> =>
  work.catch((error: unknown) => {
    throw inOurTerms(error)
  })

function inOurTerms(error: unknown): unknown {
  if (error instanceof QueueUnavailable) return new OperationsError('queue_unavailable', error.message, error)
  if (!(error instanceof Failure)) return error
  return new OperationsError('database_unavailable', `The database cannot be used: ${error.message}`, error)
}
