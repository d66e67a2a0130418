import type { DatabaseConnection } from '../../../packages/mirror/src/database/connection.js'

/**
 * Fills tables with so many rows that an optimizer takes a full scan seriously. `tables` has a list of columns for each
 * table, and the SQL of their values, in which `n` counts the rows.
 */
export async function fillTables(
  connection: DatabaseConnection,
  tables: Readonly<Record<string, string>>,
  rows: number,
): Promise<void> {
  await connection.query('CREATE TABLE numbers (n INT PRIMARY KEY)')
  await connection.query('INSERT INTO numbers VALUES (0)')
  for (let count = 1; count < rows; count *= 2) {
    await connection.query(`INSERT INTO numbers SELECT n + ${count} FROM numbers WHERE n + ${count} < ${rows}`)
  }
  for (const [table, values] of Object.entries(tables)) {
    await connection.query(`INSERT INTO ${table} SELECT ${values} FROM numbers`)
    await connection.query(`ANALYZE TABLE ${table.split(' ')[0]}`)
  }
}
