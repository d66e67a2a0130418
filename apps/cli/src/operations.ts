import { parseDatabaseUrl } from '@clerk-mirror/mirror'
import { type Operations, OperationsError, openOperations } from '@clerk-mirror/operations'
import { parseEnvelopeKeys, parseNamespace, parseRedisUrl, QueueUnavailable, readPartitions } from '@clerk-mirror/queue'
import { readConfig, secret } from '@clerk-mirror/runtime'
import type { Call } from './command.js'

/** Opens what the commands need, and closes it when they are done. */
export async function withOperations<T>({ env }: Call, work: (operations: Operations) => Promise<T>): Promise<T> {
  const { redis, namespace, database, envelopeKeys } = readConfig(env, (read) => ({
    redis: read.required('REDIS_URL', secret(parseRedisUrl)),
    namespace: read.optional('QUEUE_NAMESPACE', parseNamespace),
    database: read.optional('DATABASE_URL', secret(parseDatabaseUrl)),
    envelopeKeys: read.optional('ENVELOPE_KEYS', secret(parseEnvelopeKeys)),
  }))
  await using operations = await openOperations({
    redis: redis.reveal(),
    partitions: await readPartitions(redis.reveal(), namespace).catch((error: unknown) => {
      throw asOperationsError(error)
    }),
    database: database?.reveal() ?? null,
    envelopeKeys: envelopeKeys?.reveal(),
  })
  // Awaited here: the operations are closed when this function returns.
  return await work(operations)
}

/** What is asked of the queue past the operations says in their terms that it was not answered. */
export const asOperationsError = (error: unknown): unknown =>
  error instanceof QueueUnavailable ? new OperationsError('queue_unavailable', error.message, error) : error

/** Said beside a list that was made without the database. */
export function noteMissingLedger({ note }: Call, operations: Operations): void {
  if (operations.isLedgerAsked()) return
  note('The database was not asked: letters that are settled meanwhile are shown too.')
}
