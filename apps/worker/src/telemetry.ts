import { Failure } from '@clerk-mirror/events'
import type { FutureVersion } from '@clerk-mirror/mirror'
import {
  type BreakerState,
  type Consumer,
  type ConsumerObserver,
  type Handle,
  reasonOf,
} from '@clerk-mirror/queue/consume'
import type { Log, Metrics } from '@clerk-mirror/runtime'
import type { BlockedCauses } from './blocked-causes.js'
import type { Handled } from './handle.js'
import type { Alert, NotifierOptions } from './notify.js'

/** Seconds from Clerk's change to the committed row: from a quiet stack's 50 ms to Svix' last retry after 27 h. */
const LAG_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 36_000, 100_000]
const BATCH_EVENTS = [1, 2, 4, 8, 16, 32, 64, 128]
const BATCH_BYTES = [1024, 16_384, 65_536, 262_144, 1_048_576, 2_097_152, 4_194_304]
const APPLY_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20]

const metricsOf = (metrics: Metrics) => ({
  events: metrics.counter({
    name: 'clerk_mirror_events_total',
    help: 'Events that were decided, by outcome',
    labels: ['outcome'],
  }),
  lag: metrics.histogram({
    name: 'clerk_mirror_lag_seconds',
    help: 'Time from the change at Clerk to the committed row, of events applied at their first try',
    buckets: LAG_SECONDS,
  }),
  batch: metrics.histogram({
    name: 'clerk_mirror_batch_events',
    help: 'Events per transaction',
    buckets: BATCH_EVENTS,
  }),
  batchBytes: metrics.histogram({
    name: 'clerk_mirror_batch_bytes',
    help: 'Bytes of bodies per transaction',
    buckets: BATCH_BYTES,
  }),
  apply: metrics.histogram({
    name: 'clerk_mirror_apply_seconds',
    help: 'Time to decode and apply a batch',
    buckets: APPLY_SECONDS,
  }),
  retries: metrics.counter({
    name: 'clerk_mirror_retries_total',
    help: 'Tries that failed and will be repeated, by error code',
    labels: ['code'],
  }),
  deadLetters: metrics.counter({
    name: 'clerk_mirror_dead_letters_total',
    help: 'Events that were given up, by class and error code',
    labels: ['class', 'code'],
  }),
  futureVersions: metrics.counter({
    name: 'clerk_mirror_future_versions_total',
    help: 'Objects that were found to have a version more than a day ahead',
  }),
  breaker: metrics.gauge({
    name: 'clerk_mirror_breaker_open',
    help: '1 while this worker has stopped because the database cannot take its work',
  }),
  inFlight: metrics.gauge({
    name: 'clerk_mirror_in_flight_events',
    help: 'Events that this worker has taken and not finished',
  }),
  held: metrics.gauge({
    name: 'clerk_mirror_held_events',
    help: 'Events that this worker holds until the database works again; 0 while its breaker is closed',
  }),
  notices: metrics.counter({
    name: 'clerk_mirror_notices_total',
    help: 'Causes of dead letters that alerts were sent for, by result: told or failed',
    labels: ['result'],
  }),
})

/** The one place where events are counted, logged and alerted on. */
export function recorder(log: Log, metrics: Metrics, notify: (alert: Alert) => void, causes: BlockedCauses) {
  const counters = metricsOf(metrics)
  counters.breaker.set({}, 0)
  return {
    handled: ({ delivery, result, happenedAtMs }: Handled): void => {
      if (result.kind === 'failed') return
      const { outcome } = result
      const { envelope, attempt } = delivery
      counters.events.inc({ outcome })
      const lagMs = happenedAtMs === null ? null : Date.now() - happenedAtMs
      const isFresh = outcome === 'applied' && attempt === 1 && envelope.source === 'clerk'
      if (lagMs !== null && isFresh) counters.lag.observe({}, Math.max(0, lagMs) / 1000)
      const { eventId, type, objectId } = envelope
      log.info({ event: 'event.decided', eventId, type, objectId, outcome, attempt, lagMs })
    },
    futureVersions: (found: readonly FutureVersion[]): void => {
      for (const { objectId, kind, eventId, updatedAtMs } of found) {
        counters.futureVersions.inc({})
        const aheadS = Math.round((updatedAtMs - Date.now()) / 1000)
        log.warn({ event: 'object.future_version', objectId, kind, eventId, aheadS }, 'nothing from Clerk is newer')
      }
    },
    timed:
      (handle: Handle): Handle =>
      async (batch) => {
        const startMs = performance.now()
        counters.batch.observe({}, batch.length)
        const bytes = batch.reduce((sum, { envelope }) => sum + envelope.body.length, 0)
        counters.batchBytes.observe({}, bytes)
        try {
          return await handle(batch)
        } finally {
          counters.apply.observe({}, (performance.now() - startMs) / 1000)
        }
      },
    load: (consumer: Consumer): void =>
      metrics.beforeScrape(async () => {
        const inHand = consumer.inFlight()
        counters.inFlight.set({}, inHand)
        counters.held.set({}, consumer.breaker().kind === 'closed' ? 0 : inHand)
      }),
    notices: {
      notified: (causes) => {
        counters.notices.inc({ result: 'told' }, causes)
        log.info({ event: 'notice.told', causes })
      },
      failed: (causes, err) => {
        counters.notices.inc({ result: 'failed' }, causes)
        log.warn({ event: 'notice.failed', causes, err }, 'the alert of these dead letters could not be sent')
      },
    } satisfies NotifierOptions['observer'],
    observer: {
      breakerChanged: (state) => logBreaker(state, log, (open) => counters.breaker.set({}, open)),
      retrying: ({ envelope, attempt }, { code, message }) => {
        counters.retries.inc({ code })
        log.warn({ event: 'event.retrying', eventId: envelope.eventId, attempt, code }, message)
      },
      deadLettered: ({ envelope, attempt }, failure) => {
        counters.deadLetters.inc({ class: failure.class, code: failure.code })
        const { eventId, type } = envelope
        const { class: failureClass, code, message } = failure
        log.error({ event: 'event.dead_lettered', eventId, type, attempt, class: failureClass, code }, message)
        notify({ type, reason: reasonOf(failure) })
      },
      blocked: ({ envelope }, { code, message }) => {
        if (!causes.add(code, message)) return
        log.warn(
          { event: 'event.blocked', eventId: envelope.eventId, code },
          `${message}: such events wait, each alone, and are tried every 30 s`,
        )
      },
      redisLost: (err) => log.warn({ event: 'redis.lost', err }, 'waiting for Redis'),
      redisBack: () => log.info({ event: 'redis.back' }),
      workerFailed: (err) => log.warn({ event: 'queue.error', err }),
    } satisfies Omit<ConsumerObserver, 'stuck'>,
  }
}

function logBreaker(state: BreakerState, log: Log, setOpen: (open: 0 | 1) => void): void {
  setOpen(state.kind === 'closed' ? 0 : 1)
  if (state.kind === 'closed') {
    log.info({ event: 'breaker.closed' }, 'the database works again')
    return
  }
  const { code, message } = state.failure
  const downMs = Date.now() - state.sinceMs
  if (state.kind === 'half-open') log.info({ event: 'breaker.half_open', downMs }, 'trying with one event')
  else log.error({ event: 'breaker.opened', code, downMs }, `${message}: holding events until it works again`)
}

/** The cause of a failed start-up check. */
export const causeOf = (error: unknown): string => (error instanceof Failure ? error.message : 'the check failed')
