import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { createServer } from 'node:net'
import { Releasers } from '@clerk-mirror/runtime'
import { expect, test } from 'vitest'
import { type Request, signedRequest } from '../edge/request.js'
import { type EdgeSite, openEdgeSite } from '../edge/site.js'
import { hasNginx, openNginx } from '../support/http/nginx.js'
import { isReady, Program } from '../support/processes/processes.js'
import { until } from '../support/until.js'

const SENDERS = 8
const ROUNDS = 2
/** Events between two restarts: each process gets some, over connections that are kept. */
const EVENTS_BETWEEN = 200

/** The configuration that docs/deploy.md gives. */
const [, DOCUMENTED = ''] =
  /```nginx\n(.*?)```/s.exec(readFileSync(new URL('../../docs/deploy.md', import.meta.url), 'utf8')) ?? []

async function freePort(): Promise<number> {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  server.close()
  return typeof address === 'object' ? (address?.port ?? 0) : 0
}

function post(agent: Agent, port: number, { headers, body }: Request): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = { agent, port, method: 'POST', path: '/webhooks/clerk', headers: Object.fromEntries(headers) }
    const call = request(options, (response) => {
      response.resume().once('end', () => resolve(response.statusCode ?? 0))
    })
    call.once('error', reject)
    call.end(body)
  })
}

/** Sends one event after the other until it is told to stop. */
class Senders {
  readonly #agent = new Agent({ keepAlive: true })
  readonly statuses: number[] = []
  readonly #done: Promise<unknown>
  #isOver = false

  constructor(site: EdgeSite, port: number) {
    this.#done = Promise.all(Array.from({ length: SENDERS }, (_, sender) => this.#send(site, port, sender)))
  }

  async moreThan(count: number): Promise<void> {
    const wanted = this.statuses.length + count
    await until(() => this.statuses.length >= wanted, 150_000)
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await this.#done
    this.#agent.destroy()
  }

  async #send(site: EdgeSite, port: number, sender: number): Promise<void> {
    for (let count = 0; !this.#isOver; count += 1) {
      const event = {
        secret: site.secret,
        id: `msg_${sender}_${count}`,
        body: '{"type":"user.created","data":{"id":"user_1"}}',
      }
      this.statuses.push(await post(this.#agent, port, signedRequest(event)))
    }
  }
}

const inFront = (port: number, servers: readonly number[]) =>
  servers
    .reduce((text, server, index) => text.replace(`10.0.0.${index + 1}:8080`, `127.0.0.1:${server}`), DOCUMENTED)
    .replace('server {', `server {\n  listen 127.0.0.1:${port};`)

test.skipIf(!hasNginx())(
  'two ingest processes are restarted one after the other behind nginx, and no event fails',
  async ({ annotate }) => {
    await using owned = new Releasers()
    const site = owned.use(await openEdgeSite())
    const env = { ...site.settings, METRICS_PORT: '0', SHUTDOWN_DELAY_S: '1' }
    const start = async (port: number) => {
      const program = owned.use(new Program('ingest', { env: { ...env, INGEST_PORT: String(port) } }))
      await until(() => isReady({ url: `http://127.0.0.1:${port}` }))
      return program
    }
    const ports = [await freePort(), await freePort()]
    const running = new Map<number, Program>()
    for (const port of ports) running.set(port, await start(port))
    const front = await freePort()
    const nginx = owned.use(await openNginx(inFront(front, ports), front))
    const senders = new Senders(site, front)
    await senders.moreThan(EVENTS_BETWEEN)
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [port, program] of running) {
        expect(await program.stop()).toMatchObject({ code: 0, signal: null })
        running.set(port, await start(port))
        await senders.moreThan(EVENTS_BETWEEN)
      }
    }
    await senders.stop()
    const tries = new Map<string, number>()
    for (const each of nginx.tries()) tries.set(each, (tries.get(each) ?? 0) + 1)
    await annotate([...tries].map(([answers, count]) => `${count} × ${answers}`).join('; '))
    expect(new Set(senders.statuses)).toEqual(new Set([202]))
    expect((await site.eventIds()).length).toBe(senders.statuses.length)
  },
  120_000,
)
