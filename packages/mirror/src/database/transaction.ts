import type { PrismaClient } from '../generated/client.js'
import type { SqlValue, Statement } from './sql.js'

/** The part of a transaction that writers use. */
export type Transaction = {
  /** The number of rows that the server counted: two for one that an upsert changed. */
  execute: (statement: Statement) => Promise<number>
  query: <Row>(sql: string, values: readonly SqlValue[]) => Promise<Row[]>
}

/** How long a transaction may wait for a pooled connection, and how long it may take; both in ms. */
export type TransactionLimits = { maxWait: number; timeout: number }

export function inTransaction<T>(
  prisma: PrismaClient,
  limits: TransactionLimits,
  work: (transaction: Transaction) => Promise<T>,
): Promise<T> {
  return prisma.$transaction(
    (client) =>
      work({
        execute: ({ sql, values }) => client.$executeRawUnsafe(sql, ...values),
        query: (sql, values) => client.$queryRawUnsafe(sql, ...values),
      }),
    limits,
  )
}
