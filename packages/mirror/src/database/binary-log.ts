import type { Connection } from 'mariadb'
import { unfit } from './connect-failure.js'
import type { DatabaseOptions } from './database-url.js'

/**
 * Refuses a server that logs statements: at READ COMMITTED it answers each write to InnoDB with 1665, after DDL has
 * gone through, so a migration would stop half-way.
 *
 * @throws DatabaseConnectError
 */
export async function refuseStatementLog(connection: Connection, options: DatabaseOptions): Promise<void> {
  type Row = { isOn: unknown; format: unknown }
  const answer = connection.query<Row[]>('SELECT @@log_bin AS isOn, @@binlog_format AS format')
  // A server without these variables has no such setting.
  const [row] = await answer.catch((): Row[] => [])
  if (Number(row?.isOn) === 1 && row?.format === 'STATEMENT') throw unfit(options, 'database_binlog_statement')
}
