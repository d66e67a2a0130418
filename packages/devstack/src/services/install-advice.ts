import type { ServiceName } from './site.js'
import { StackError } from './stack-error.js'

const NAMES = { redis: 'Redis', database: 'MySQL or MariaDB' } as const
const SETTINGS = { redis: 'REDIS_URL', database: 'DATABASE_URL' } as const

// Only the programs themselves. On Debian these packages bring no system service.
const PLATFORMS: readonly { on: string; command: string; redis: string; database: string }[] = [
  {
    on: 'Debian, Ubuntu',
    command: 'sudo apt-get install --no-install-recommends',
    redis: 'redis-tools',
    database: 'mariadb-server-core mariadb-client-core',
  },
  { on: 'Fedora', command: 'sudo dnf install', redis: 'valkey', database: 'mariadb-server' },
  { on: 'macOS', command: 'brew install', redis: 'redis', database: 'mariadb' },
  {
    on: 'Windows',
    command: 'in WSL: sudo apt-get install',
    redis: 'redis-tools',
    database: 'mariadb-server-core mariadb-client-core',
  },
]

/** The error for services that could be had in no way, which says how to get them on each platform. */
export function missingServices(missing: readonly ServiceName[]): StackError {
  const lines = [
    `no ${missing.map((name) => NAMES[name]).join(' and no ')} could be started. Install (no system service is needed):`,
    ...PLATFORMS.map(({ on, command, ...packages }) => {
      return `  ${on.padEnd(16)}${command} ${missing.map((name) => packages[name]).join(' ')}`
    }),
    `or start Docker with Compose, or set ${missing.map((name) => SETTINGS[name]).join(' and ')}.`,
  ]
  return new StackError(missing.includes('redis') ? 'no_redis' : 'no_mysql', lines.join('\n'))
}
