import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'
import { QueueUnavailable, type SessionId, type SessionRevocations } from '@clerk-mirror/queue/operate'
import { Refusal } from '../errors.js'
import { SESSION_MS } from '../limits.js'
import type { Account } from './accounts.js'

/** A signed-in account; `formKey` proves that a form came from one of our pages. */
export type Session = { account: Account; formKey: string; id: SessionId }

export type Sessions = {
  /** The value of a new session's cookie. */
  begin: (account: Account) => string
  /** Null for a cookie that is no session of ours, or not any more. @throws Refusal while Redis cannot say */
  read: (cookie: string | undefined) => Promise<Session | null>
  /** From now on no process of the console takes its cookie. @throws Refusal while Redis cannot take it down */
  end: (session: Session) => Promise<void>
}

type Revocations = Pick<SessionRevocations, 'revoke' | 'isRevoked'>

/**
 * A session is kept in its cookie: `name.expiry.nonce.signature`. Each account signs with a key made from its own token
 * and role, so changing or removing a token ends its sessions only, and restarts end none. Redis keeps only
 * the sessions that were ended by signing out. While it does not answer, no session is taken: an ended one must not
 * come back with an outage, and the pages have little to show then.
 */
export function openSessions(accounts: readonly Account[], revocations: Revocations, clock: () => number): Sessions {
  const keys = new Map(accounts.map((account) => [account.name, { account, key: keyOf(account) }]))
  return {
    begin(account) {
      const nonce = randomBytes(16).toString('base64url')
      const name = Buffer.from(account.name).toString('base64url')
      const claim = `${name}.${clock() + SESSION_MS}.${nonce}`
      return `${claim}.${sign(keyOf(account), 'session', claim)}`
    },
    async read(cookie = '') {
      const [name = '', expiresAtMs = '', nonce = '', signature = ''] = cookie.split('.')
      const known = keys.get(Buffer.from(name, 'base64url').toString())
      if (!known) return null
      const claim = `${name}.${expiresAtMs}.${nonce}`
      if (!isSame(signature, sign(known.key, 'session', claim)) || !(Number(expiresAtMs) > clock())) return null
      const id = { account: known.account.name, nonce, expiresAtMs: Number(expiresAtMs) }
      if (await revocations.isRevoked(id).catch(refuse)) return null
      return { account: known.account, formKey: sign(known.key, 'form', claim), id }
    },
    end: ({ id }) => revocations.revoke(id, SESSION_MS).catch(refuse),
  }
}

function refuse(error: unknown): never {
  throw error instanceof QueueUnavailable ? new Refusal('queue_unavailable', undefined, error) : error
}

/** In constant time. */
export function isSame(presented: string, expected: string): boolean {
  const [left, right] = [Buffer.from(presented), Buffer.from(expected)]
  return left.length === right.length && timingSafeEqual(left, right)
}

const keyOf = ({ name, role, token }: Account) =>
  Buffer.from(hkdfSync('sha256', token, '', `clerk-mirror console ${name} ${role}`, 32))

const sign = (key: Buffer, purpose: 'session' | 'form', claim: string) =>
  createHmac('sha256', key).update(`${purpose} ${claim}`).digest('base64url')
