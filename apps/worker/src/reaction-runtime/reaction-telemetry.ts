import type { OutboxDepth, ReactionRequest } from '@clerk-mirror/mirror'
import { type ConsumerObserver, reasonOf } from '@clerk-mirror/queue/consume'
import type { QueueGauges } from '@clerk-mirror/queue/gauges'
import type { Log, Metrics } from '@clerk-mirror/runtime'
import { BlockedCauses } from '../blocked-causes.js'
import type { Alert } from '../notify.js'
import type { RelayOptions } from './relay.js'

/** Seconds from the committed change to the completed reaction: from a quiet stack's 50 ms to a day of retries. */
const LAG_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 36_000, 100_000]

const metricsOf = (metrics: Metrics) => ({
  runs: metrics.counter({
    name: 'clerk_mirror_reaction_runs_total',
    help: 'Runs of reactions that ended, by result: done, retried or dead',
    labels: ['reaction', 'result'],
  }),
  lag: metrics.histogram({
    name: 'clerk_mirror_reaction_lag_seconds',
    help: 'Time from the committed change to the completed reaction',
    labels: ['reaction'],
    buckets: LAG_SECONDS,
  }),
  handedOver: metrics.counter({
    name: 'clerk_mirror_reactions_handed_over_total',
    help: 'Reaction requests that were enqueued',
    labels: ['reaction'],
  }),
  outbox: metrics.gauge({
    name: 'clerk_mirror_reaction_outbox_rows',
    help: 'Reaction requests that are not enqueued yet',
  }),
  oldest: metrics.gauge({
    name: 'clerk_mirror_reaction_outbox_oldest_seconds',
    help: 'Age of the oldest reaction request that is not enqueued yet',
  }),
})

/** The one place where reactions are counted, logged and alerted on. */
export function reactionRecorder(log: Log, metrics: Metrics, notify: (alert: Alert) => void) {
  const counters = metricsOf(metrics)
  return {
    done({ reaction, what, kind, objectId, version, askedAtMs }: ReactionRequest): void {
      const lagMs = Math.max(0, Date.now() - askedAtMs)
      counters.runs.inc({ reaction, result: 'done' })
      counters.lag.observe({ reaction }, lagMs / 1000)
      const { eventId } = version
      // On the level debug, because writing a line may take longer than a run.
      log.debug({ event: 'reaction.done', reaction, change: `${kind}.${what}`, objectId, eventId, lagMs })
    },
    relay: {
      enqueued: (reaction, jobs) => counters.handedOver.inc({ reaction }, jobs),
      halted: (err) => log.warn({ event: 'reaction.relay_halted', err }, 'reaction requests wait in the database'),
      resumed: () => log.info({ event: 'reaction.relay_goes_on' }),
    } satisfies RelayOptions['observer'],
    runsOf: (reaction: string, causes = new BlockedCauses()): Omit<ConsumerObserver, 'stuck'> => ({
      blocked: ({ envelope }, { code, message }) => {
        if (!causes.add(code, message)) return
        log.warn({ event: 'reaction.blocked', reaction, runId: envelope.eventId, code }, message)
      },
      breakerChanged: ({ kind }) => log.info({ event: 'reaction.breaker', reaction, state: kind }),
      retrying: ({ envelope, attempt }, { code, message }) => {
        counters.runs.inc({ reaction, result: 'retried' })
        log.warn({ event: 'reaction.retrying', reaction, runId: envelope.eventId, attempt, code }, message)
      },
      deadLettered: ({ envelope, attempt }, failure) => {
        counters.runs.inc({ reaction, result: 'dead' })
        const { class: failureClass, code, message } = failure
        const { eventId: runId, objectId } = envelope
        log.error(
          { event: 'reaction.dead_lettered', reaction, runId, objectId, attempt, class: failureClass, code },
          message,
        )
        notify({ type: reaction, reason: reasonOf(failure) })
      },
      // The consumer of events logs Redis' outages.
      redisLost: () => {},
      redisBack: () => {},
      workerFailed: (err) => log.warn({ event: 'queue.error', reaction, err }),
    }),
    /** Exported only by the process that exports the queue's gauges. */
    outbox: (gauges: QueueGauges, depth: () => Promise<OutboxDepth>): void =>
      metrics.beforeScrape(async () => {
        const isOurs = (await gauges.read()) !== null
        const known = isOurs ? await depth().catch(() => null) : null
        for (const gauge of [counters.outbox, counters.oldest]) gauge.clear()
        if (!known) return
        counters.outbox.set({}, known.rows)
        counters.oldest.set({}, known.oldestMs / 1000)
      }),
  }
}
