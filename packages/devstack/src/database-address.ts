import { readFileSync } from 'node:fs'
import { parseDatabaseUrl } from '@clerk-mirror/mirror'
import type { ConnectionConfig } from 'mariadb'
import { StartFault } from './faults.js'

/** What the bare driver needs to connect to `DATABASE_URL`. Throws StartFault when the URL is not as it must be. */
export function databaseAddress(url: string): ConnectionConfig & { host: string; port: number } {
  const { host, port, user, password, database, tls } = parsed(url)
  const address = { host, port, user, password, database }
  if (tls === false) return address
  const { rejectUnauthorized, caPath } = tls
  return { ...address, ssl: { rejectUnauthorized, ...(caPath !== undefined && { ca: readFileSync(caPath, 'utf8') }) } }
}

function parsed(url: string) {
  try {
    return parseDatabaseUrl(url)
  } catch (error) {
    throw new StartFault(`DATABASE_URL: ${error instanceof Error ? error.message : error}`)
  }
}
