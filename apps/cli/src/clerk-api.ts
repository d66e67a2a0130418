import { type ClerkApi, openClerkApi } from '@clerk-mirror/clerk-api'
import { type DatabaseOptions, parseDatabaseUrl } from '@clerk-mirror/mirror'
import {
  type Environment,
  instanceId,
  isLoopback,
  type Parser,
  type ProxySettings,
  parseNoProxy,
  parseProxy,
  readConfig,
  type Secret,
  secret,
  webAddress,
  withProxyNames,
} from '@clerk-mirror/runtime'
import { type Call, WrongUsage } from './command.js'

/** The needs of a command that compares the mirror with Clerk. */
export type ClerkConfig = {
  secretKey: Secret
  url: URL
  instanceId: string | undefined
  database: Secret<DatabaseOptions>
  proxies: ProxySettings
}

export function readClerkConfig(env: Environment): ClerkConfig {
  return readConfig(withProxyNames(env), (read) => ({
    secretKey: read.required('CLERK_SECRET_KEY', secret(secretKey)),
    url: read.optional('CLERK_API_URL', (raw) => new URL(webAddress(raw))),
    instanceId: read.optional('CLERK_INSTANCE_ID', instanceId),
    database: read.required('DATABASE_URL', secret(parseDatabaseUrl)),
    proxies: {
      https: read.optional('HTTPS_PROXY', secret(parseProxy)),
      http: read.optional('HTTP_PROXY', secret(parseProxy)),
      except: read.optional('NO_PROXY', parseNoProxy) ?? (() => false),
    },
  }))
}

/** A publishable key is what people paste by mistake. */
const secretKey: Parser<string> = (raw) => {
  if (!/^sk_\w+$/.test(raw)) throw new Error('must be a secret key, which begins with sk_')
  return raw
}

export const RATE_OPTION = {
  rate: { type: 'string', doc: 'requests per second; a fifth of what Clerk grants the instance by default' },
} as const

export function openCallsClerkApi({ values, note }: Call, { url, secretKey, proxies }: ClerkConfig): ClerkApi {
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    note(`${url.hostname}: the secret key travels to it in clear text. Use https://.`)
  }
  return openClerkApi({ url, secretKey, proxies, requestsPerSecond: rateOf(values['rate']) })
}

const RATE_MAX = 100

function rateOf(raw: Call['values'][string]): number | undefined {
  if (raw === undefined) return undefined
  const rate = typeof raw === 'string' && /^\d{1,3}(?:\.\d{1,3})?$/.test(raw) ? Number(raw) : Number.NaN
  if (!(rate > 0 && rate <= RATE_MAX))
    throw new WrongUsage(`--rate takes a number of requests per second up to ${RATE_MAX}`)
  return rate
}
