import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Account } from './accounts.js'
import { SESSION_MS } from './policy.js'

/** Somebody who has signed in; `formKey` proves that a form came from one of our pages. */
export type Session = { account: Account; formKey: string }

export type Sessions = {
  /** The value of a new session's cookie. */
  begin: (account: Account) => string
  /** Null for a cookie that is no session of ours, or not any more. */
  read: (cookie: string | undefined) => Session | null
}

/**
 * Sessions are kept nowhere but in their cookie: `name.expiry.nonce.signature`. Each account signs with a key made from
 * its own token and role, so changing or removing a token ends its sessions and nobody else's, and restarts end none.
 */
export function openSessions(accounts: readonly Account[], clock: () => number): Sessions {
  const keys = new Map(accounts.map((account) => [account.name, { account, key: keyOf(account) }]))
  return {
    begin(account) {
      const nonce = randomBytes(16).toString('base64url')
      const name = Buffer.from(account.name).toString('base64url')
      const claim = `${name}.${clock() + SESSION_MS}.${nonce}`
      return `${claim}.${sign(keyOf(account), 'session', claim)}`
    },
    read(cookie = '') {
      const [name = '', expiresAtMs = '', nonce = '', signature = ''] = cookie.split('.')
      const known = keys.get(Buffer.from(name, 'base64url').toString())
      if (!known) return null
      const claim = `${name}.${expiresAtMs}.${nonce}`
      if (!isSame(signature, sign(known.key, 'session', claim)) || !(Number(expiresAtMs) > clock())) return null
      return { account: known.account, formKey: sign(known.key, 'form', claim) }
    },
  }
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
