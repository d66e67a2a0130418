import { ConfigFaults, type Environment, SETTINGS, type SettingName } from '@clerk-mirror/runtime'
import { expect, test } from 'vitest'
import { readClerkConfig } from '../../../apps/cli/src/clerk-api.js'
import { readConsoleConfig } from '../../../apps/console/src/config.js'
import { readIngestConfig } from '../../../apps/ingest/src/config.js'
import { readProfilesConfig } from '../../../apps/profiles/src/config.js'
import { readWorkerConfig } from '../../../apps/worker/src/config.js'

const READERS = {
  ingest: readIngestConfig,
  worker: readWorkerConfig,
  console: readConsoleConfig,
  profiles: readProfilesConfig,
  cli: readClerkConfig,
}

/** Of each setting, texts that people write by mistake; the compiler misses none. */
const MALFORMED: Record<SettingName, readonly string[]> = {
  REDIS_URL: ['localhost:6379', 'redis://localhost?db=2', 'redis://a,rediss://b', 'redis://a:0'],
  DATABASE_URL: ['localhost', 'mysql://localhost', 'mysql://u:p@h/d?ssl=true'],
  CLERK_WEBHOOK_SIGNING_SECRET: ['whsec_', 'whsec_not base64!', ','],
  ENVELOPE_KEYS: ['2026-11', 'a:short', ','],
  CLERK_INSTANCE_ID: [
    '2abcDEF',
    'app_2abcDEF',
    'ins_',
    'ins_2abc DEF',
    'ins_2abc,ins_2def',
    '"ins_2abcDEF"',
    'INS_2abc',
  ],
  CLERK_SECRET_KEY: ['pk_test_x', 'sk_', 'sk_live x'],
  CLERK_API_URL: ['api.clerk.com', 'https:api.clerk.com'],
  CLERK_JWT_KEY: ['a key', '-----BEGIN PUBLIC KEY-----'],
  CLERK_AUTHORIZED_PARTIES: ['example.com', 'https://example.com/', ','],
  CLERK_PUBLISHABLE_KEY: ['sk_test_x', 'pk_test_'],
  MIRROR_KINDS: ['-session', 'user;organization', ',', 'user,-user'],
  REACTIONS: ['no-such-reaction', ',', '-log-new-users'],
  CHANGE_WEBHOOK_URLS: ['billing.example.com', 'https:billing.example.com', 'https://u:p@example.com', ','],
  CHANGE_WEBHOOK_SECRETS: ['not base64!', ','],
  CHANGE_WEBHOOK_PAYLOAD: ['all'],
  CHANGE_WEBHOOK_ALLOW_PRIVATE: ['yes'],
  HOST: ['0.0.0.0:8080', 'http://localhost', '*'],
  INGEST_PORT: ['http', '65536'],
  PORT: ['8080/tcp'],
  WORKER_PORT: ['-1'],
  PROFILES_PORT: ['80 81'],
  CONSOLE_PORT: ['0x50'],
  CONSOLE_TOKEN: ['ada:operator:short', ','],
  METRICS_PORT: ['9090.5'],
  KEEP_ALIVE_TIMEOUT_S: ['0', '75s', '86401'],
  SHUTDOWN_DELAY_S: ['-1', '0.5', '601'],
  TRUST_PROXY: ['true', '1', '0.0.0.0/0', ','],
  QUEUE_NAMESPACE: ['Clerk', 'a-b', '{clerk-0}', 'a:b', '0a', 'x'.repeat(33)],
  QUEUE_PARTITIONS: ['0', 'many'],
  REDIS_WAIT_REPLICAS: ['-1', 'all'],
  REDIS_ALLOW_EVICTION: ['no'],
  OTEL_EXPORTER_OTLP_ENDPOINT: ['localhost:4318'],
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: ['localhost:4318/v1/traces'],
  OTEL_TRACES_EXPORTER: ['zipkin', ','],
  OTEL_SDK_DISABLED: ['yes', '1'],
  HTTPS_PROXY: ['socks5://proxy:1080', 'http://proxy/path'],
  HTTP_PROXY: ['ftp://proxy', 'http://'],
  NO_PROXY: ['10.0.0.0/33', 'example.com/8'],
  NOTIFY_WEBHOOK_URL: ['hooks.slack.com/services/x'],
  LOG_LEVEL: ['verbose', 'INFO'],
}

function faultyNames(readConfig: (env: Environment) => unknown, env: Environment): string[] {
  try {
    readConfig(env)
    return []
  } catch (error) {
    if (!(error instanceof ConfigFaults)) throw error
    return error.faults.map(({ name }) => name)
  }
}

/** Of the commands' settings, those of commands that read from Clerk. */
const appsThatRead = (name: SettingName) =>
  SETTINGS[name].usedBy.filter((app) => app !== 'cli' || name.startsWith('CLERK_') || name.endsWith('_PROXY'))

const cases = Object.entries(MALFORMED).flatMap(([name, values]) =>
  values.flatMap((value) => appsThatRead(name as SettingName).map((app) => ({ name, value, app }))),
)

test.each(cases)('$app refuses $name=$value by name', ({ name, value, app }) => {
  // Secrets of change webhooks are read with the addresses alone, as PORT is without INGEST_PORT.
  const others = { CHANGE_WEBHOOK_URLS: 'https://billing.example.com/x', [name]: value }
  expect(faultyNames(READERS[app as keyof typeof READERS], others)).toContain(name)
})
