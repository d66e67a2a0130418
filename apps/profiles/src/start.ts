import { openProfiles } from '@clerk-mirror/mirror'
import {
  Connections,
  HttpEdge,
  listenError,
  openMetrics,
  type ProcessContext,
  Releasers,
  readinessOf,
  serveHealth,
  warnOfClearText,
} from '@clerk-mirror/runtime'
import { readAssets } from './assets.js'
import type { ProfilesConfig } from './config.js'
import { DatabaseQueue } from './database-queue.js'
import { BODY_BYTES_SUM_MAX, CONNECTIONS_MAX, DATABASE_QUEUE_MAX, DATABASE_QUEUE_MS, DATABASE_TURNS } from './limits.js'
import { profilesMetrics } from './metrics.js'
import { inTurns } from './read.js'
import { buildServer } from './server.js'

export type ProfilesProcess = AsyncDisposable & { port: number; metricsPort: number }

/** Starts the pages and the API. The database need not be there: until it is, the answer is 503. */
export async function startProfiles(config: ProfilesConfig, { log, signal }: ProcessContext): Promise<ProfilesProcess> {
  await using owned = new Releasers()
  const metrics = openMetrics('profiles')
  const profiles = owned.use(openProfiles(config.database.reveal()))
  // Reads the columns of the list: a missing migration shows here too.
  const readiness = readinessOf(
    { mysql: () => profiles.list({ limit: 1, after: null }).then(() => ({ ok: true })) },
    signal,
  )
  const { host, jwtKey, authorizedParties, publishableKey, keepAliveMs, trustProxy } = config
  const about = { readiness, metrics, log, stopping: signal }
  const health = owned.use(await serveHealth({ host, port: config.metricsPort, settingName: 'METRICS_PORT', ...about }))
  const site = profilesMetrics(metrics)
  const limits = { connectionsMax: CONNECTIONS_MAX, bodyBytesMax: BODY_BYTES_SUM_MAX }
  const connections = new Connections(limits, (reason) => site.closed.inc({ reason }))
  const edge = new HttpEdge({ stopping: signal, onExcess: () => site.closed.inc({ reason: 'pipelined' }) })
  const turns = Math.min(DATABASE_TURNS, config.database.reveal().connectionLimit ?? DATABASE_TURNS)
  const queue = new DatabaseQueue({ turns, waitingMax: DATABASE_QUEUE_MAX, waitMs: DATABASE_QUEUE_MS })
  metrics.beforeScrape(async () => {
    site.waiting.set({}, queue.waiting)
    site.connections.set({}, connections.count)
    site.bodyBytes.set({}, connections.bodyBytes)
  })
  const server = await buildServer({
    ...{ profilesFor: inTurns(profiles, queue), assets: readAssets(), publishableKey },
    ...{ session: { jwtKey, authorizedParties, publishableKey }, edge, connections, keepAliveMs, trustProxy },
    ...{ readiness, metrics: site, log },
  })
  owned.defer(() => server.close())
  owned.defer(() => edge.close())
  await server.listen({ host, port: config.port }).catch((error: unknown) => {
    throw listenError(error, { host, port: config.port, settingName: 'PROFILES_PORT' })
  })
  const address = server.server.address()
  const port = typeof address === 'object' && address ? address.port : config.port
  log.info({ event: 'profiles.listening', host, port })
  warnOfClearText(log, { database: config.database.reveal() })
  if (jwtKey !== undefined && authorizedParties === undefined) {
    log.warn({ event: 'profiles.any_party' }, 'set CLERK_AUTHORIZED_PARTIES: tokens made for any page are accepted')
  }
  const released = owned.move()
  return { port, metricsPort: health.port, [Symbol.asyncDispose]: () => released[Symbol.asyncDispose]() }
}
