import { type DatabaseOptions, parseDatabaseUrl } from '@clerk-mirror/mirror'
import { type Operations, OperationsError, openOperations } from '@clerk-mirror/operations'
import {
  parseEnvelopeKeys,
  parseNamespace,
  parseRedisUrl,
  QueueUnavailable,
  type RedisTarget,
  readPartitions,
} from '@clerk-mirror/queue/operate'
import { clearTextTo, readConfig, secret } from '@clerk-mirror/runtime'
import type { Call } from './command.js'

/** Opens the connections of the commands, and closes them at the end. */
export async function withOperations<T>(call: Call, work: (operations: Operations) => Promise<T>): Promise<T> {
  const { redis, namespace, database, envelopeKeys } = readConfig(call.env, (read) => ({
    redis: read.required('REDIS_URL', secret(parseRedisUrl)),
    namespace: read.optional('QUEUE_NAMESPACE', parseNamespace),
    database: read.optional('DATABASE_URL', secret(parseDatabaseUrl)),
    envelopeKeys: read.optional('ENVELOPE_KEYS', secret(parseEnvelopeKeys)),
  }))
  noteClearText(call, { redis: redis.reveal(), database: database?.reveal() })
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

/** Beside a command's output: an operator's machine may take another way to the servers than the processes. */
export function noteClearText(
  { note }: Pick<Call, 'note'>,
  { redis, database }: { redis?: RedisTarget | undefined; database?: DatabaseOptions | undefined },
): void {
  for (const { host, message } of clearTextTo({ ...(redis && { redis }), ...(database && { database }) }))
    note(`${host}: ${message}.`)
}

/** Direct queries of the queue fail with an OperationsError when Redis does not answer. */
export const asOperationsError = (error: unknown): unknown =>
  error instanceof QueueUnavailable ? new OperationsError('queue_unavailable', error.message, error) : error

/** Said beside a list that was made without the database. */
export function noteMissingLedger({ note }: Call, operations: Operations): void {
  if (operations.isLedgerAsked()) return
  note('The database did not answer: settled dead letters are shown too.')
}
