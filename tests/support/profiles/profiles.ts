import { createSign, generateKeyPairSync } from 'node:crypto'
import type { DatabaseOptions } from '@clerk-mirror/mirror'
import { openLog, Secret } from '@clerk-mirror/runtime'
import { parsePublishableKey } from '../../../apps/profiles/src/clerk-keys.js'
import { type ProfilesProcess, startProfiles } from '../../../apps/profiles/src/start.js'

/** The key of a Clerk instance that is ours: with it we sign session tokens as Clerk does. */
const instance = generateKeyPairSync('rsa', { modulusLength: 2048 })
export const JWT_KEY = instance.publicKey.export({ type: 'spki', format: 'pem' }).toString()

export const PARTY = 'https://profiles.example.com'
export const FRONTEND_API = 'clerk.example.com'
export const PUBLISHABLE_KEY = `pk_test_${Buffer.from(`${FRONTEND_API}$`).toString('base64')}`

const encoded = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')

type TokenOptions = { claims?: object; header?: object; key?: typeof instance.privateKey }

/** A session token of this user, valid for a minute; `claims` and `header` change its content. */
export function sessionToken(
  clerkId: string,
  { claims, header, key = instance.privateKey }: TokenOptions = {},
): string {
  const nowS = Math.floor(Date.now() / 1000)
  const times = { iat: nowS, nbf: nowS - 10, exp: nowS + 60 }
  const usual = {
    azp: PARTY,
    iss: `https://${FRONTEND_API}`,
    sid: 'sess_1',
    sts: 'active',
    sub: clerkId,
    v: 2,
    ...times,
  }
  const signed = `${encoded({ alg: 'RS256', typ: 'JWT', kid: 'ins_1', ...header })}.${encoded({ ...usual, ...claims })}`
  return `${signed}.${createSign('RSA-SHA256').update(signed).sign(key).toString('base64url')}`
}

export const bearer = (clerkId: string) => ({ authorization: `Bearer ${sessionToken(clerkId)}` })

export type Answer = { status: number; headers: Headers; text: string }

export type Site = ProfilesProcess & {
  url: string
  /** Every line that the process logged. */
  logged: string[]
  get: (path: string, headers?: Record<string, string>) => Promise<Answer>
  /** Saves as this user. */
  save: (clerkId: string, edit: unknown) => Promise<Answer>
}

/** The application in this process, with a Clerk instance of our own. */
export async function openSite(
  database: DatabaseOptions,
  config: { jwtKey?: string | undefined; publishableKey?: string } = {},
): Promise<Site> {
  const logged: string[] = []
  const log = openLog({ app: 'test', level: 'debug', pretty: false, write: (line) => void logged.push(line) })
  const { publishableKey } = config
  const app = await startProfiles(
    {
      database: new Secret(database),
      jwtKey: 'jwtKey' in config ? config.jwtKey : JWT_KEY,
      authorizedParties: [PARTY],
      publishableKey: publishableKey === undefined ? undefined : parsePublishableKey(publishableKey),
      ...{ host: '127.0.0.1', port: 0, metricsPort: 0, keepAliveMs: 75_000, logLevel: 'debug' },
    },
    { log, signal: new AbortController().signal, fail: () => {} },
  )
  const url = `http://127.0.0.1:${app.port}`
  const ask = async (path: string, init: RequestInit): Promise<Answer> => {
    const response = await fetch(`${url}${path}`, init)
    return { status: response.status, headers: response.headers, text: await response.text() }
  }
  return {
    ...app,
    ...{ url, logged },
    get: (path, headers = {}) => ask(path, { headers }),
    save: (clerkId, edit) =>
      ask('/me', {
        method: 'PUT',
        headers: { ...bearer(clerkId), 'content-type': 'application/json' },
        body: typeof edit === 'string' ? edit : JSON.stringify(edit),
      }),
  }
}
