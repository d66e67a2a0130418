import { createHmac } from 'node:crypto'
import { parseSigningSecrets, verifyRequest } from '@clerk-mirror/events'
import { Webhook } from 'svix'
import { type Random, seededRandom } from '../../packages/devstack/src/random.js'
import { nowS } from './request.js'

export type Disagreement = { headers: Record<string, string>; body: string; ours: string; theirs: string }

const SECRETS = ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'whsec_plJ3nmyCDGBKInavdOK15jsl'] as const

/**
 * Of so many signed deliveries, most of them tampered with, those of which our verifier and Svix' own library say
 * different things. A timestamp that is no plain number is refused by us and read leniently by them: there are none.
 */
export function disagreements(seed: number, count: number): Disagreement[] {
  const random = seededRandom(seed)
  const found: Disagreement[] = []
  for (let index = 0; index < count; index += 1) {
    const secret = random.pick(SECRETS)
    const { headers, body } = delivery(random)
    const ours = verifyRequest(
      Object.entries(headers).flat(),
      Buffer.from(body),
      parseSigningSecrets(secret),
      Date.now(),
    )
    const theirs = verdictOf(secret, headers, body)
    if ((ours.kind === 'verified') === (theirs === 'verified')) continue
    found.push({ headers, body, ours: ours.kind === 'verified' ? ours.kind : ours.code, theirs })
  }
  return found
}

function verdictOf(secret: string, headers: Record<string, string>, body: string): string {
  try {
    new Webhook(secret).verify(body, headers)
    return 'verified'
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function delivery(random: Random): { headers: Record<string, string>; body: string } {
  const id = random.pick(['msg_1', `msg_${random.base62(27)}`, 'a.b', 'é', ' x', 'm'.repeat(500)])
  // Not at the very bound, which the second may pass between the two verdicts.
  const atS = nowS() - random.pick([0, 1, 290, -290, 310, -310, random.integer(-280, 280), 100_000])
  const body = JSON.stringify({
    type: random.pick(['user.created', 'ü', '👩🏽‍🚀', '']),
    data: random.base62(random.integer(0, 60)),
  })
  const key = Buffer.from(random.pick(SECRETS).slice('whsec_'.length), 'base64')
  const good = `v1,${createHmac('sha256', key).update(`${id}.${atS}.${body}`).digest('base64')}`
  const family = random.pick(['svix', 'svix', 'webhook'])
  const headers = {
    [`${family}-id`]: random.chance(0.9) ? id : random.pick(['', 'msg_2', `${id} `]),
    [`${family}-timestamp`]: String(random.chance(0.9) ? atS : atS + random.integer(-3, 3)),
    [`${family}-signature`]: tampered(good, random),
  }
  return { headers, body: random.chance(0.9) ? body : `${body.slice(0, -1)} }` }
}

function tampered(good: string, random: Random): string {
  if (random.chance(0.4)) return good
  const at = random.integer(0, good.length - 1)
  return random.pick([
    `${good.slice(0, at)}${random.base62(1)}${good.slice(at + 1)}`,
    `${good.slice(0, at)}${good.slice(at + 1)}`,
    `${good.slice(0, at)}${random.pick([' ', ',', '=', 'A', '\t', '\0'])}${good.slice(at)}`,
    good.slice(0, at),
    `${good} ${good.slice(0, at)}`,
    `v1,${random.base62(43)}= ${good}`,
    `v2,${random.base62(43)}= v1a,x ${good}`,
    good.replace('v1', random.pick(['v2', 'V1', 'v1a', 'v', 'v11', ''])),
    `${good},${random.base62(5)}`,
    `${random.pick([' ', '  ', ',', 'v1'])}${good}`,
    good.replaceAll('=', ''),
    random.pick(['', 'v1', 'v1,', ',', ' ', 'v1,,', 'v1, v1,']),
  ])
}
