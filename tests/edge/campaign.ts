import { REFUSALS } from '../../apps/ingest/src/errors.js'
import { type Random, seededRandom } from '../../packages/devstack/src/random.js'
import { signUps } from '../support/http/deliveries.js'
import { sendHonest } from './honest.js'
import { type Judge, openJudge } from './judge.js'
import { type Mutant, mutantOf } from './mutations.js'
import { signedRequest, withMore } from './request.js'
import type { EdgeSite } from './site.js'
import { codeOf, exchange, type RawAnswer } from './wire.js'

export type CampaignOptions = {
  requests: number
  seed: number
  signal?: AbortSignal
  progress?: (sent: number, tally: Tally) => void
}

/** The number of mutants by answered code; `accepted` are those with a signature that Svix' library accepts as well. */
export type Tally = Record<string, number>

export type CampaignResult = {
  sent: number
  tally: Tally
  honest: number
  slowestHonestMs: number
  violations: string[]
}

/** Mutants between two honest events, and of them at once. */
const ROUND = 500
const LANES = 64
/** Then a request that is not complete is ended: 15 s for each would be days. */
const QUIET_MS = 150

/** Sends mutants of signed requests in rounds. Stops at the first round in which something is wrong. */
export async function runEdgeCampaign(site: EdgeSite, options: CampaignOptions): Promise<CampaignResult> {
  const { requests, seed, signal, progress } = options
  await using judge = await openJudge(site.secret)
  const random = seededRandom(seed)
  const result: CampaignResult = { sent: 0, tally: {}, honest: 0, slowestHonestMs: 0, violations: [] }
  const bodies = signUps(seed, 50).map(({ body }) => body)
  let before: Mutant[] = []
  while (result.sent < requests && result.violations.length === 0 && !signal?.aborted) {
    const mutants = Array.from({ length: Math.min(ROUND, requests - result.sent) }, () =>
      mutantOf(signedBy(site, random, bodies), random),
    )
    const accepted = await sendAll(site, mutants, result)
    const honestId = `msg_${random.base62(27)}`
    const tookMs = await sendHonest(site, honestId, result.violations)
    result.honest += 1
    result.slowestHonestMs = Math.max(result.slowestHonestMs, Math.round(tookMs))
    await checkStored(site, judge, { mutants, accepted, before, honestId }, result)
    await site.clear()
    if (!site.ingest.isRunning) result.violations.push('the process has ended')
    before = mutants
    result.sent += mutants.length
    progress?.(result.sent, result.tally)
  }
  return result
}

function signedBy(site: EdgeSite, random: Random, bodies: readonly string[]) {
  const body = bodies[random.integer(0, bodies.length - 1)] ?? '{}'
  const request = signedRequest({ secret: site.secret, id: `msg_${random.base62(27)}`, body })
  // From everywhere: else nearly all of them would end at the limit of one address.
  return withMore(request, ['x-forwarded-for', `10.${random.integer(0, 255)}.${random.integer(0, 255)}.7`])
}

type Accepted = Mutant & { answers: number }

/** Returns those that were answered 202. */
async function sendAll(site: EdgeSite, mutants: readonly Mutant[], result: CampaignResult): Promise<Accepted[]> {
  const accepted: Accepted[] = []
  await inLanes(mutants, async (mutant) => {
    const { answers, isClosed } = await exchange(site.port, mutant.bytes, { quietMs: QUIET_MS })
    const outcomes = answers.map(outcomeOf)
    if (outcomes.includes('accepted')) accepted.push({ ...mutant, answers: answers.length })
    if (outcomes.length === 0) outcomes.push(isClosed ? 'closed without an answer' : 'BAD: hangs')
    for (const outcome of outcomes) {
      result.tally[outcome] = (result.tally[outcome] ?? 0) + 1
      if (outcome.startsWith('BAD')) result.violations.push(`${outcome}, to ${shown(mutant.bytes)}`)
    }
  })
  return accepted
}

const CODES: Readonly<Record<string, { status: number }>> = REFUSALS

function outcomeOf(answer: RawAnswer): string {
  const { status, body } = answer
  const code = codeOf(answer)
  if (code !== undefined && code !== 'internal' && CODES[code]?.status === status) return code
  if (status === 202 && /^\{"status":"(?:accepted|ignored)"\}$/.test(body)) return 'accepted'
  // To HEAD: the status alone.
  if (body === '' && status < 500 && status !== 202) return `${status} without a body`
  // The probes: a mutant may ask for them.
  if (status === 200 && /^\{"status":"(?:ok|ready)"/.test(body)) return 'probe'
  return `BAD: ${status} ${body.slice(0, 200)}`
}

const shown = (bytes: Buffer) => JSON.stringify(bytes.subarray(0, 2000).toString('latin1'))

type Round = { mutants: readonly Mutant[]; accepted: readonly Accepted[]; before: readonly Mutant[]; honestId: string }

/** Redis holds exactly the events that the judge finds genuine, and every event with a 202 was genuine. */
async function checkStored(site: EdgeSite, judge: Judge, round: Round, result: CampaignResult): Promise<void> {
  const explained = new Set([round.honestId])
  await inLanes(round.accepted, async ({ bytes, answers }) => {
    const genuine = await judge.genuineIn(bytes, answers)
    if (genuine.size === 0) result.violations.push(`accepted, and not genuine: ${shown(bytes)}`)
    for (const id of genuine) explained.add(id)
  })
  const unexplained = async () => (await site.eventIds()).filter((id) => !explained.has(id))
  if ((await unexplained()).length === 0) return
  // Stored though its answer was not heard, as when its connection broke off.
  await inLanes([...round.mutants, ...round.before], async ({ bytes }) => {
    for (const id of await judge.genuineIn(bytes)) explained.add(id)
  })
  const left = await unexplained()
  if (left.length > 0) result.violations.push(`Redis holds what nobody has signed: ${left}`)
}

async function inLanes<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values()
  const lane = async () => {
    for (const item of queue) await work(item)
  }
  await Promise.all(Array.from({ length: LANES }, lane))
}
