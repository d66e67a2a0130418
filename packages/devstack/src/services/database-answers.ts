import { createConnection } from 'mariadb'
import { ANSWER_WITHIN_MS } from './limits.js'

/** Whether a server on this port of 127.0.0.1 lets the account in and answers a query. */
export async function databaseAnswers(account: { port: number; user: string; password: string }): Promise<boolean> {
  try {
    const connection = await createConnection({
      ...account,
      host: '127.0.0.1',
      connectTimeout: ANSWER_WITHIN_MS,
      socketTimeout: ANSWER_WITHIN_MS,
      allowPublicKeyRetrieval: true, // MySQL 8 and later require it without TLS; loopback has no man in the middle
    })
    try {
      await connection.query('SELECT 1')
      return true
    } finally {
      connection.destroy()
    }
  } catch {
    return false
  }
}
