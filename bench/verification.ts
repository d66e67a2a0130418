import { randomBytes } from 'node:crypto'
import { type SigningKey, verifyRequest } from '@clerk-mirror/events'
import type { Releasers } from '@clerk-mirror/runtime'
import { Webhook } from 'svix'
import { contest, cpuOf, perSecond } from './contest.js'
import type { Score } from './contestant.js'
import { bareFastify } from './references.js'
import { perS, type Report, ratioRow } from './report.js'
import type { Run } from './section.js'
import type { Stage } from './stage.js'
import { median, type Ratio, ratioOf, thousands } from './statistics.js'

const FUZZED = 100_000

/** The cost of a signature check, beside a bare server without one and beside the vendor's library. */
export async function verificationSection(stage: Stage, owned: Releasers, { quick, say }: Run): Promise<Report> {
  const contestants = {
    'R1 bare Fastify': await bareFastify(stage, owned),
    'R1 and our verification': await bareFastify(stage, owned, 'ours'),
    'R1 and svix’ verification': await bareFastify(stage, owned, 'svix'),
  }
  const scores = await contest(stage, contestants, { rounds: 5, roundMs: quick ? 1_000 : 4_000, say })
  const bare = scores['R1 bare Fastify']
  const row = (who: keyof typeof contestants, most?: number) => {
    const [value, unit] = shareOf(scores[who], bare)
    const names: [string, string] = [perS(median(perSecond(scores[who]))), `R1: ${perS(median(perSecond(bare)))}`]
    return ratioRow(`${who}: what verification adds to R1’s ${unit}`, names, value, most === undefined ? {} : { most })
  }
  const fuzz = compareVerdicts(FUZZED)
  return {
    title: 'Verification',
    about: 'bare Fastify that checks signatures, and does nothing else, beside the same that does not.',
    rows: [row('R1 and our verification', 0.15), row('R1 and svix’ verification')],
    cpu: Object.fromEntries(Object.entries(scores).map(([name, of]) => [name, cpuOf(of)])),
    notes: [
      `${thousands(fuzz.all)} fuzzed deliveries, ${thousands(fuzz.valid)} of them valid: our verdict was svix’ verdict on each.`,
    ],
  }
}

/** By CPU time where the system tells it, which no other process disturbs; else by the rates. */
function shareOf(scores: readonly Score[], bare: readonly Score[]): [Ratio, string] {
  const cost = (score: Score | undefined) => score?.cpuUs['server']
  const costs = scores.map((score, round) => [cost(score), cost(bare[round])])
  if (costs.every(([one, other]) => one !== undefined && other !== undefined)) {
    return [ratioOf(costs.map(([one = 0, other = 1]) => (one - other) / other)), 'CPU time']
  }
  return [ratioOf(scores.map(({ perS: rate }, round) => (bare[round]?.perS ?? rate) / rate - 1)), 'time']
}

/** @throws when our verdict on a delivery is not the library's. */
function compareVerdicts(count: number): { all: number; valid: number } {
  const key: SigningKey = randomBytes(24)
  const webhook = new Webhook(key.toString('base64'))
  const nowMs = Date.now()
  let valid = 0
  for (let index = 0; index < count; index += 1) {
    const { headers, body } = fuzzed(webhook, nowMs, index)
    const ours = verifyRequest(Object.entries(headers).flat(), body, [key], Date.now()).kind === 'verified'
    if (ours !== isVerifiedBySvix(webhook, headers, body)) {
      throw new Error(`the run is not valid: verdicts differ about ${JSON.stringify(headers)}`)
    }
    if (ours) valid += 1
  }
  return { all: count, valid }
}

function isVerifiedBySvix(webhook: Webhook, headers: Record<string, string>, body: Buffer): boolean {
  try {
    webhook.verify(body.toString('utf8'), headers)
    return true
  } catch (error) {
    // It reads a verified body as JSON; whether it is some is not the question here.
    return error instanceof SyntaxError
  }
}

const pick = <T>(choices: readonly T[]): T => choices[Math.floor(Math.random() * choices.length)] as T

/** A signed delivery of which something may be wrong. */
function fuzzed(webhook: Webhook, nowMs: number, index: number): { headers: Record<string, string>; body: Buffer } {
  const id = `msg_${index}`
  const text = JSON.stringify({ type: 'user.created', noise: randomBytes(index % 64).toString('base64') })
  const at = new Date(nowMs + pick([0, 0, 0, -290_000, 290_000, -600_000, 600_000]))
  const signature = webhook.sign(id, at, text)
  const headers: Record<string, string> = {
    'svix-id': pick([id, id, id, id, `${id}1`]),
    'svix-timestamp': String(Math.floor(at.getTime() / 1000) + pick([0, 0, 0, 0, 1])),
    'svix-signature': pick([
      signature,
      signature,
      `v1,AAAA ${signature}`,
      `v2${signature.slice(2)}`,
      damaged(signature),
    ]),
  }
  const body = Buffer.from(pick([text, text, text, `${text} `]))
  return { headers, body }
}

function damaged(signature: string): string {
  const at = Math.floor(Math.random() * signature.length)
  return `${signature.slice(0, at)}${pick(['A', '/', ',', ' ', '='])}${signature.slice(at + 1)}`
}
