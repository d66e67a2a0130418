import { mkdirSync } from 'node:fs'
import { type FaultProxy, openFaultProxy } from '@clerk-mirror/devstack'
import { Releasers } from '@clerk-mirror/runtime'
import { choosePort } from '../../../packages/devstack/src/services/ports.js'
import type { LogLine } from '../../support/processes/processes.js'
import { Member, type MemberFailure } from './member.js'
import type { Site } from './site.js'

/** A process, and the proxies between it and each of its peers: a fault can hit it alone. */
export type Ingest = { member: Member; link: FaultProxy; redis: FaultProxy }
export type Worker = { member: Member; redis: FaultProxy; database: FaultProxy }

export type Fleet = AsyncDisposable & {
  ingests: readonly Ingest[]
  workers: readonly Worker[]
  members: readonly Member[]
  links: readonly FaultProxy[]
  /** @throws when one of them does not become ready in time. */
  ready: (patienceMs: number) => Promise<void>
}

const INGESTS = 2
const WORKERS = 3

export type FleetOptions = {
  site: Site
  /** Of the build that is tried. */
  root: string
  secret: string
  logFolder: string
  /** Further settings of all workers but the last. */
  workerEnv: Record<string, string>
  onLine: (name: string, line: LogLine) => void
  onFailure: (failure: MemberFailure) => void
}

/** All processes, started. */
export async function openFleet(options: FleetOptions): Promise<Fleet> {
  const { site, root, secret, logFolder, workerEnv, onLine, onFailure } = options
  await using owned = new Releasers()
  mkdirSync(logFolder, { recursive: true })
  const links: FaultProxy[] = []
  const linkTo = async (url: string) => {
    const link = owned.use(await openFaultProxy({ targetPort: Number(new URL(url).port) }))
    links.push(link)
    return { link, url: withPort(url, link.port) }
  }
  const members: Member[] = []
  const open = (name: string, app: 'ingest' | 'worker', port: number, env: Record<string, string>) => {
    const all = { root, env, port, logFolder, onFailure, onLine: (line: LogLine) => onLine(name, line) }
    const member = owned.use(new Member({ name, app, ...all }))
    members.push(member)
    member.start()
    return member
  }
  const ingests: Ingest[] = []
  for (let index = 1; index <= INGESTS; index += 1) {
    const [redis, port] = [await linkTo(site.redisUrl), await choosePort()]
    const proxy = await linkTo(`http://127.0.0.1:${port}`)
    const env = { REDIS_URL: redis.url, CLERK_WEBHOOK_SIGNING_SECRET: secret, LOG_LEVEL: 'debug' }
    const ports = { INGEST_PORT: String(port), METRICS_PORT: '0' }
    ingests.push({
      member: open(`ingest ${index}`, 'ingest', port, { ...env, ...ports }),
      link: proxy.link,
      redis: redis.link,
    })
  }
  const workers: Worker[] = []
  for (let index = 1; index <= WORKERS; index += 1) {
    const [redis, database] = [await linkTo(site.redisUrl), await linkTo(site.workerUrl)]
    const port = await choosePort()
    const own = { REDIS_URL: redis.url, DATABASE_URL: database.url, MIRROR_KINDS: '*', WORKER_PORT: String(port) }
    // The last one has no reactions: the others send the webhooks of its changes all the same.
    const env = { ...(index < WORKERS && workerEnv), ...own }
    workers.push({ member: open(`worker ${index}`, 'worker', port, env), redis: redis.link, database: database.link })
  }
  const scope = owned.move()
  return {
    ...{ ingests, workers, members, links },
    ready: async (patienceMs) => void (await Promise.all(members.map((member) => member.ready(patienceMs)))),
    [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
  }
}

function withPort(text: string, port: number): string {
  const url = new URL(text)
  url.port = String(port)
  return url.href
}
