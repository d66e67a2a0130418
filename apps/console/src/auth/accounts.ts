import { createHash, timingSafeEqual } from 'node:crypto'
import { TOKEN_CHARS_MIN } from '../limits.js'

/** A viewer sees everything; an operator may replay and discard besides. */
export type Role = 'viewer' | 'operator'

export type Account = { name: string; role: Role; token: string }

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$/
const TOKEN = /^[!-+\--~]+$/

/**
 * Reads `name:role:token`, several separated by commas or white space.
 * @throws an Error that counts the accounts and quotes nothing of them.
 */
export function parseAccounts(raw: string): Account[] {
  const accounts = raw
    .split(/[\s,]+/)
    .filter(Boolean)
    .map((part, index) => parseAccount(part, index + 1))
  if (accounts.length === 0) throw new Error('names no account: it must be name:role:token')
  if (new Set(accounts.map(({ name }) => name)).size < accounts.length) throw new Error('has two accounts of one name')
  if (new Set(accounts.map(({ token }) => token)).size < accounts.length) throw new Error('has one token twice')
  return accounts
}

function parseAccount(part: string, position: number): Account {
  const [name = '', role = '', ...rest] = part.split(':')
  const token = rest.join(':')
  const fault = (problem: string) => new Error(`must be name:role:token; in account ${position} ${problem}`)
  if (!NAME.test(name)) throw fault('the name is not 1 to 40 letters, digits, dots, dashes or underscores')
  if (role !== 'viewer' && role !== 'operator') throw fault('the role is neither viewer nor operator')
  if (token.length < TOKEN_CHARS_MIN) throw fault(`the token has fewer than ${TOKEN_CHARS_MIN} characters`)
  if (!TOKEN.test(token)) throw fault('the token has characters other than printable ASCII')
  return { name, role, token }
}

/** The account of a token. Takes as long for a token that is nearly right as for one that is not, whosever it is. */
export function accountOf(token: string, accounts: readonly Account[]): Account | null {
  const presented = digest(token)
  const matching = accounts.filter((account) => timingSafeEqual(digest(account.token), presented))
  return matching[0] ?? null
}

const digest = (text: string) => createHash('sha256').update(text).digest()
