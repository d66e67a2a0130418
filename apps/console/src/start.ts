import { openOperations } from '@clerk-mirror/operations'
import { openPartitionRegistry, openQueueBrowser, openSessionRevocations } from '@clerk-mirror/queue/operate'
import {
  HttpEdge,
  isLoopback,
  listenError,
  openMetrics,
  type ProcessContext,
  Releasers,
  readinessOf,
  warnOfClearText,
} from '@clerk-mirror/runtime'
import type { ConsoleConfig } from './config.js'
import { operationsDoor } from './operations-connection.js'
import { redactPayload } from './pages/redact.js'
import { Runs } from './runs.js'
import { Samples } from './samples.js'
import { buildServer } from './server.js'

export type ConsoleProcess = AsyncDisposable & { port: number }

/** Starts the console. Neither Redis nor the database need be there: the pages name the missing one. */
export async function startConsole(config: ConsoleConfig, { log, signal }: ProcessContext): Promise<ConsoleProcess> {
  await using owned = new Releasers()
  const { host, trustProxy, keepAliveMs } = config
  const redis = config.redis.reveal()
  const envelopeKeys = config.envelopeKeys?.reveal()
  const partitions =
    'namespace' in config.partitions
      ? owned.use(openPartitionRegistry(redis, config.partitions.namespace))
      : config.partitions
  const metrics = openMetrics('console')
  const operations = owned.use(
    operationsDoor(() => openOperations({ redis, partitions, database: config.database.reveal(), envelopeKeys })),
  )
  const browser = owned.use(openQueueBrowser(redis, partitions, redactPayload, envelopeKeys))
  const revocations = owned.use(openSessionRevocations(redis, partitions))
  const samples = owned.use(new Samples(operations, Date.now))
  const runs = owned.use(new Runs(operations.open, log))
  const readiness = readinessOf(
    { redis: () => operations.ask((each) => each.status()).then(() => ({ ok: true })) },
    signal,
  )
  const accounts = config.accounts.reveal()
  const edge = new HttpEdge({ stopping: signal })
  const server = buildServer({
    ...{ accounts, operations, browser, samples, runs, revocations, readiness, metrics, log, trustProxy },
    ...{ clock: Date.now, edge, keepAliveMs },
  })
  owned.defer(() => server.close())
  owned.defer(() => edge.close())
  await server.listen({ host, port: config.port }).catch((error: unknown) => {
    throw listenError(error, { host, port: config.port, settingName: 'CONSOLE_PORT' })
  })
  const address = server.server.address()
  const port = typeof address === 'object' && address ? address.port : config.port
  log.info({ event: 'console.listening', host, port, accounts: accounts.length })
  warnOfClearText(log, { redis, database: config.database.reveal() })
  if (!isLoopback(host)) {
    log.warn(
      { event: 'console.exposed', host },
      'others can reach it: put a proxy with TLS before it, or tokens travel in clear text',
    )
  }
  const released = owned.move()
  return { port, [Symbol.asyncDispose]: () => released[Symbol.asyncDispose]() }
}
