import type { Releasers } from '@clerk-mirror/runtime'
import { Cluster } from 'ioredis'
import { openRedisCluster } from '../tests/support/queue/redis-cluster.js'
import { contest, cpuOf, perSecond } from './contest.js'
import type { Contestant } from './contestant.js'
import { perS, type Report, type Row, ratioRow } from './report.js'
import type { Run } from './section.js'
import { type Home, homeOf, type Stage } from './stage.js'
import { median, ratio } from './statistics.js'
import { openSubjects } from './subjects.js'

/** The layout of partitions; with replicas, one has to have each event before the answer. */
type Plan = { partitions: number; masters: number; replicas?: number }

const PLANS: Readonly<Record<string, Plan>> = {
  'one Redis': { partitions: 1, masters: 1 },
  'four partitions on one Redis': { partitions: 4, masters: 1 },
  'four partitions on four Redis': { partitions: 4, masters: 4 },
  'one Redis and its replica': { partitions: 1, masters: 1, replicas: 1 },
}

/**
 * Ingest and the worker on one Redis, on four, and on one with a replica that must have every event: Redis Clusters
 * all of them, so that nothing but that is different.
 */
export async function partitionsSection(stage: Stage, owned: Releasers, { quick, say }: Run): Promise<Report> {
  const contestants: Record<string, Contestant> = {}
  for (const [name, plan] of Object.entries(PLANS)) {
    const { accept, drain } = await openSubjects(stage, owned, await openHome(owned, plan))
    contestants[`ingest, ${name}`] = accept
    contestants[`the worker, ${name}`] = drain
  }
  const scores = await contest(stage, contestants, { rounds: 5, roundMs: quick ? 1_000 : 3_000, say })
  const row = (who: string, subject: string): Row => {
    const [ours, theirs] = [scores[`${who}, ${subject}`] ?? [], scores[`${who}, one Redis`] ?? []].map(perSecond)
    const names: [string, string] = [perS(median(ours ?? [])), `one Redis: ${perS(median(theirs ?? []))}`]
    return ratioRow(`${who}: ${subject} ÷ one Redis`, names, ratio(ours ?? [], theirs ?? []), {})
  }
  const subjects = Object.keys(PLANS).slice(1)
  return {
    title: 'Partitions and replicas',
    about:
      'what ingest takes while the worker is frozen, and what the worker then drains, with one Redis process, with ' +
      'four partitions on it, with four processes of one partition each, and with a replica that has to have each event ' +
      'before its 202 (`REDIS_WAIT_REPLICAS=1`). All of them are Redis Clusters on the same two cores.',
    rows: ['ingest', 'the worker'].flatMap((who) => subjects.map((subject) => row(who, subject))),
    cpu: Object.fromEntries(Object.entries(scores).map(([name, of]) => [name, cpuOf(of)])),
  }
}

async function openHome(owned: Releasers, { partitions, masters, replicas = 0 }: Plan): Promise<Home> {
  const { url, nodes } = owned.use(await openRedisCluster({ masters, replicas }))
  const password = new URL(url.replace(/,.*/, '')).password
  const client = new Cluster(
    nodes.map(({ port }) => ({ host: '127.0.0.1', port })),
    { redisOptions: { password } },
  )
  owned.defer(() => client.disconnect())
  const home = homeOf(owned, client, { url, partitions })
  const servers = nodes.map(({ server }, index) => [index === 0 ? 'Redis' : `Redis ${index + 1}`, server.pid] as const)
  const settings = { ...home.settings, REDIS_WAIT_REPLICAS: String(replicas) }
  return { ...home, settings, servers: Object.fromEntries(servers) }
}
