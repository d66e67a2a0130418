import { networkOf } from '@clerk-mirror/runtime'
import type { FastifyRequest } from 'fastify'
import type { Console } from '../context.js'
import { type Account, accountOf } from './accounts.js'

export type TokenVerdict =
  | { kind: 'account'; account: Account }
  | { kind: 'wrong' }
  | { kind: 'limited'; waitS: number }

/**
 * The account of a token. The limit is for wrong ones alone: if the right one had to wait too, any client behind the
 * same address could lock all others out. It does not keep a guesser from guessing on, for a right guess would be taken
 * at any time; a token's length does that, with at least 32 characters of chance. The limit keeps the log short, and
 * tells an operator with a mistyped token to stop.
 */
export function judgeToken(
  token: string,
  { ip }: FastifyRequest,
  { accounts, wrongTokens, log }: Console,
): TokenVerdict {
  const account = accountOf(token, accounts)
  if (account) return { kind: 'account', account }
  const waitS = wrongTokens.waitS(ip)
  if (waitS > 0) return { kind: 'limited', waitS }
  wrongTokens.add(ip)
  log.warn({ event: 'console.wrong_token', address: networkOf(ip) })
  return { kind: 'wrong' }
}
