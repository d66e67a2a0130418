import { setTimeout as pause } from 'node:timers/promises'
import type { Delivery } from '@clerk-mirror/devstack'
import { Releasers } from '@clerk-mirror/runtime'
import { Webhook } from 'svix'
import { reckonReactions } from '../tests/support/reactions.js'
import { Child } from './child.js'
import { cpuOf, perSecond } from './contest.js'
import { IN_FLIGHT, type Score, scored, timed } from './contestant.js'
import { assertExact } from './exact.js'
import type { Program } from './program.js'
import { perS, type Report, ratioRow } from './report.js'
import type { Run } from './section.js'
import type { Stage } from './stage.js'
import { median, ratio, thousands } from './statistics.js'
import { freshSeed, ordinaryTraffic } from './traffic.js'

const ROUNDS = 3
const EVENTS = 6_000
/** With which each worker warms up: it is started anew for each measurement, with these reactions or without. */
const WARM_UP = 2_000
const LOOK_MS = 20
/** Reactions may come behind the events, but they must come. */
const REACTED_MS = 60_000

const REACTIONS = ['none', 'the sample for each new user', 'a webhook for every change'] as const
type Reacting = (typeof REACTIONS)[number]
/** `told`: webhooks delivered by the end of the road. `later`: from then until the last reaction was done. */
type Measured = { road: Score; told: number; later: Score }
type Received = { key: string; timestamp: string; signature: string; text: string }
type Site = { stage: Stage; ingest: Program & { port: number }; receiver: Child; url: string }

/**
 * The whole road, from the signed request to the committed row, without reactions, with the sample that wants to hear
 * of new users, and with a webhook for every change. Whether the receiver was told of everything is reckoned
 * afterwards.
 */
export async function reactionsSection(stage: Stage, owned: Releasers, { quick, only, say }: Run): Promise<Report> {
  const receiver = owned.use(await Child.start('receiver.mjs'))
  const port = await receiver.ask<number>({ what: 'port' })
  const ingest = await stage.start('ingest', owned)
  const site = { stage, ingest, receiver, url: `http://127.0.0.1:${port}/` }
  const measured: Record<Reacting, Measured[]> = { none: [], [REACTIONS[1]]: [], [REACTIONS[2]]: [] }
  const asked = REACTIONS.filter((name) => only.length === 0 || only.includes(name))
  for (let round = 1; round <= (quick ? 2 : ROUNDS); round += 1) {
    for (const name of asked) {
      const score = await measure(site, name)
      measured[name].push(score)
      say(
        `round ${round}: ${name}, ${Math.round(score.road.perS)} a second, ${laterMs(score).toFixed(0)} ms later, ${score.told} told`,
      )
    }
  }
  const rates = (name: Reacting) => perSecond(measured[name].map(({ road }) => road))
  const reacting = asked.filter((name) => name !== 'none')
  return {
    title: 'Reactions',
    about:
      `the road with reactions beside the road without, on ${EVENTS} events each, from the first request until the last ` +
      'event is committed and out of the queue; each on a worker of its own that is warm. The receiver runs on the same ' +
      'machine; at the end each webhook is held against its signature and against what ledger and object rows say was done. ' +
      'Reactions give way to events: most of them run when the worker has caught up.',
    rows: reacting.map((name) => {
      const names = [perS(median(rates(name))), `none: ${perS(median(rates('none')))}`] as const
      return ratioRow(name, [...names], ratio(rates(name), rates('none')), { least: 0.75 })
    }),
    notes: reacting.map((name) => afterwards(name, measured[name])),
    cpu: Object.fromEntries([
      ...asked.map((name) => [name, cpuOf(measured[name].map(({ road }) => road))] as const),
      ...reacting.map((name) => [`${name}, then`, cpuOf(measured[name].map(({ later }) => later))] as const),
    ]),
  }
}

function afterwards(name: Reacting, scores: readonly Measured[]): string {
  const inAll = scores.map((score) => EVENTS / (EVENTS / score.road.perS + EVENTS / score.later.perS))
  const told =
    name === REACTIONS[2] ? `${thousands(median(scores.map((score) => score.told)))} were delivered by then; ` : ''
  const later = (median(scores.map(laterMs)) / 1_000).toFixed(1)
  return `With ${name}: ${told}the last reaction was done ${later} s after the last event, which makes ${perS(median(inAll))} in all.`
}

const laterMs = ({ later }: Measured) => (EVENTS / later.perS) * 1_000

async function measure(site: Site, reacting: Reacting): Promise<Measured> {
  const { stage, ingest, receiver } = site
  await using owned = new Releasers()
  const secret = stage.secret
  const webhooks = {
    CHANGE_WEBHOOK_URLS: site.url,
    CHANGE_WEBHOOK_SECRETS: secret,
    CHANGE_WEBHOOK_ALLOW_PRIVATE: 'true',
  }
  const env: Record<Reacting, Record<string, string>> = {
    none: {},
    [REACTIONS[1]]: { REACTIONS: 'log-new-users' },
    [REACTIONS[2]]: webhooks,
  }
  const worker = await stage.start('worker', owned, { ...stage.home, settings: env[reacting] })
  const road = async (deliveries: readonly Delivery[]) => {
    const signed = stage.sign(deliveries)
    const others = { ingest: ingest.pid, worker: worker.pid, receiver: receiver.pid }
    const processes = stage.processes(['generator', 'Redis', 'MariaDB'], others)
    const score = (work: () => Promise<unknown>) => scored(deliveries, processes, () => timed(work))
    const applied = async () => {
      await stage.sendSigned(signed, ingest.port, { connections: IN_FLIGHT })
      await stage.drained()
    }
    const road = await score(applied)
    const told = await receiver.ask<number>({ what: 'count' })
    return { road, told, later: await score(() => reacted(stage)) }
  }
  await stage.clear()
  await road(ordinaryTraffic(WARM_UP, freshSeed()))
  await receiver.ask({ what: 'all' })
  await stage.clear()
  const deliveries = ordinaryTraffic(EVENTS, freshSeed())
  const measured = await road(deliveries)
  await assertExact(stage, deliveries)
  const told = await receiver.ask<Received[]>({ what: 'all' })
  if (reacting === REACTIONS[2]) await assertTold(stage, told, secret)
  return measured
}

/** Until no requested reaction is left. */
async function reacted({ database, redis }: Stage): Promise<void> {
  const deadlineMs = performance.now() + REACTED_MS
  for (;;) {
    const [row] = await database.query<{ n: bigint }[]>('SELECT COUNT(*) AS n FROM mirror.reaction_outbox')
    // Runs wait, run and are finished as jobs of their own.
    const runs = Number(row?.n) > 0 ? [] : await redis.keys('{clerk-0}-*:clerk-reactions:x_*')
    if (Number(row?.n) === 0 && runs.length === 0) return
    if (performance.now() > deadlineMs) throw new Error('the run is not valid: reactions are never done')
    await pause(LOOK_MS)
  }
}

/** Each committed change was told once, signed, and nothing else was. @throws when it is not so. */
async function assertTold({ database }: Stage, received: readonly Received[], secret: string): Promise<void> {
  const signer = new Webhook(secret)
  for (const { key, timestamp, signature, text } of received) {
    signer.verify(text, { 'webhook-id': key, 'webhook-timestamp': timestamp, 'webhook-signature': signature })
  }
  const told = received.map(({ key, text }) => ({ key, body: JSON.parse(text) }))
  const { missing, invented, twice } = await reckonReactions((sql) => database.query(sql), told)
  if (missing.length + invented.length + twice > 0) {
    throw new Error(
      `the run is not valid: ${missing.length} changes untold, ${invented.length} invented, ${twice} twice`,
    )
  }
}
