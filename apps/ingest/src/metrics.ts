import type { Metrics } from '@clerk-mirror/runtime'
import { DROP_REASONS } from './dropped-events.js'

/** Seconds: Redis' own time is under 5 ms, and a 503 is promised within 500. */
const REQUEST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1]

export type IngestMetrics = ReturnType<typeof ingestMetrics>

export const ingestMetrics = (metrics: Metrics) => {
  const all = ingestSeries(metrics)
  // A series that begins with its first event shows no increase by it, and the alert would miss that one.
  for (const reason of DROP_REASONS) all.ignored.inc({ reason }, 0)
  return all
}

const ingestSeries = (metrics: Metrics) => ({
  accepted: metrics.counter({
    name: 'clerk_mirror_ingest_accepted_total',
    help: 'Events that are durable in Redis, by how: added, revived or duplicate',
    labels: ['how'],
  }),
  ignored: metrics.counter({
    name: 'clerk_mirror_ingest_ignored_total',
    help: 'Verified events that are never stored, by reason',
    labels: ['reason'],
  }),
  refused: metrics.counter({
    name: 'clerk_mirror_ingest_refused_total',
    help: 'Requests answered with an error, by code',
    labels: ['code'],
  }),
  connections: metrics.gauge({
    name: 'clerk_mirror_ingest_connections',
    help: 'Open connections to the public port',
  }),
  bodyBytes: metrics.gauge({
    name: 'clerk_mirror_ingest_body_bytes',
    help: 'Bytes of bodies that are arriving or being worked on',
  }),
  closed: metrics.counter({
    name: 'clerk_mirror_ingest_connections_closed_total',
    help: 'Connections closed for others, by reason: displaced, body_memory, no_place or pipelined',
    labels: ['reason'],
  }),
  seconds: metrics.histogram({
    name: 'clerk_mirror_ingest_request_seconds',
    help: 'Time from the last byte of a webhook to its answer',
    buckets: REQUEST_SECONDS,
  }),
})
