import { connectionConfig, type DatabaseOptions, parseDatabaseUrl } from '@clerk-mirror/mirror'
import type { ConnectionConfig } from 'mariadb'
import { StartFault } from './faults.js'

/** The bare driver's options for `DATABASE_URL`. Throws StartFault for an invalid URL. */
export function databaseAddress(url: string): ConnectionConfig & { host: string; port: number } {
  const options = parsed(url)
  return { ...connectionConfig(options, 'work'), host: options.host, port: options.port }
}

function parsed(url: string): DatabaseOptions {
  try {
    return parseDatabaseUrl(url)
  } catch (error) {
    throw new StartFault(`DATABASE_URL: ${error instanceof Error ? error.message : error}`)
  }
}
