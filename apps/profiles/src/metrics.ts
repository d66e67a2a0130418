import type { Metrics } from '@clerk-mirror/runtime'

/** Seconds: a page takes two short reads. */
const REQUEST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]

export type ProfilesMetrics = ReturnType<typeof profilesMetrics>

export const profilesMetrics = (metrics: Metrics) => ({
  requests: metrics.counter({
    name: 'clerk_mirror_profiles_requests_total',
    help: 'Requests by route and status',
    labels: ['route', 'status'],
  }),
  seconds: metrics.histogram({
    name: 'clerk_mirror_profiles_request_seconds',
    help: 'Time from the last byte of the headers to the answer, by route',
    buckets: REQUEST_SECONDS,
    labels: ['route'],
  }),
  connections: metrics.gauge({
    name: 'clerk_mirror_profiles_connections',
    help: 'Open connections to the public port',
  }),
  bodyBytes: metrics.gauge({
    name: 'clerk_mirror_profiles_body_bytes',
    help: 'Bytes of bodies that are arriving or being worked on',
  }),
  waiting: metrics.gauge({
    name: 'clerk_mirror_profiles_waiting',
    help: 'Requests that wait for their turn at the database',
  }),
  closed: metrics.counter({
    name: 'clerk_mirror_profiles_connections_closed_total',
    help: 'Connections closed for others, by reason: displaced, body_memory, no_place or pipelined',
    labels: ['reason'],
  }),
})
