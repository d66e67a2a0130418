import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { openProfiles } from '@clerk-mirror/mirror'
import { Connections, HttpEdge, openLog, openMetrics, Releasers } from '@clerk-mirror/runtime'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { readAssets } from '../../../apps/profiles/src/assets.js'
import { BODY_BYTES_MAX, BODY_BYTES_SUM_MAX, HEADERS_MAX } from '../../../apps/profiles/src/limits.js'
import { profilesMetrics } from '../../../apps/profiles/src/metrics.js'
import { buildServer } from '../../../apps/profiles/src/server.js'
import { BODY_PIECE_BYTES } from '../../../packages/runtime/src/limits.js'
import { bytesOf, type Request, withMore } from '../../edge/request.js'
import { exchange } from '../../edge/wire.js'
import { clerkId } from '../../support/clerk-events.js'
import { openTestDatabase, type TestDatabase } from '../../support/mysql/database.js'
import { bearer, JWT_KEY, openSite, type Site } from '../../support/profiles/profiles.js'
import { until } from '../../support/until.js'

let owned: Releasers
let database: TestDatabase
let site: Site
const clients: Socket[] = []
beforeAll(async () => {
  owned = new Releasers()
  database = owned.use(await openTestDatabase())
  site = owned.use(await openSite(database.options))
})
const leave = () => {
  for (const client of clients.splice(0)) client.destroy()
}
afterEach(leave)
afterAll(() => owned?.[Symbol.asyncDispose]())

async function come(port: number): Promise<Socket> {
  const client = connect({ port, host: '127.0.0.1' })
  client.on('error', () => {})
  client.resume() // A client that does not read learns nothing of the end.
  clients.push(client)
  await once(client, 'connect')
  return client
}

async function metric(name: string, label = ''): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${site.metricsPort}/metrics`)).text()
  const series = `clerk_mirror_profiles_${name}{${label}app="profiles"} `
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(series))
      ?.slice(series.length),
  )
}

const asking = (path: string, ...headers: [string, string][]): Request => ({
  ...{ method: 'GET', target: path, version: 'HTTP/1.1', body: Buffer.alloc(0), framed: Buffer.alloc(0) },
  headers: [['host', 'profiles.example.com'], ...headers],
})

test('when all places are taken, whoever has waited longest makes room for people', async () => {
  await using own = new Releasers()
  const closed: string[] = []
  const limits = { connectionsMax: 3, bodyBytesMax: BODY_BYTES_SUM_MAX }
  const profiles = own.use(openProfiles(database.options))
  const edge = new HttpEdge({ stopping: new AbortController().signal })
  const server = await buildServer({
    ...{ profilesFor: () => profiles, assets: readAssets(), publishableKey: undefined, trustProxy: undefined },
    ...{
      session: { jwtKey: JWT_KEY, authorizedParties: undefined, publishableKey: undefined },
      edge,
      keepAliveMs: 75_000,
    },
    connections: new Connections(limits, (reason) => closed.push(reason)),
    ...{ readiness: async () => ({}), metrics: profilesMetrics(openMetrics('test')) },
    log: openLog({ app: 'test', level: 'silent' }),
  })
  own.defer(() => server.close())
  own.defer(async () => leave())
  await server.listen({ host: '127.0.0.1', port: 0 })
  const address = server.server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const [first, second, third] = [await come(port), await come(port), await come(port)]
  second.write('GET /profiles HTTP/1.1\r\nhost: x\r\nx-slow: ')
  first.write(bytesOf(asking('/profiles')))
  await once(first, 'data')
  // The first has been answered, and so has waited for less long than the others.
  expect((await exchange(port, bytesOf(asking('/profiles')))).answers).toMatchObject([{ status: 200 }])
  await until(() => second.closed)
  expect([first.closed, third.closed, closed]).toEqual([false, false, ['displaced']])
})

test('connections and the memory of bodies are counted while they last', async () => {
  const slow = await come(site.port)
  const save = asking('/me', ...Object.entries(bearer(clerkId('user'))))
  const head = withMore({ ...save, method: 'PUT' }, ['content-type', 'application/json'], ['content-length', '1000'])
  slow.write(bytesOf({ ...head, framed: Buffer.alloc(400, ' ') }))
  await until(async () => (await metric('body_bytes')) >= 400)
  expect(await metric('connections')).toBeGreaterThanOrEqual(1)
  slow.write(Buffer.from(`${JSON.stringify({ tagline: 'slowly', blocks: [] })}`.padEnd(600)))
  const [answer] = await once(slow, 'data')
  expect(String(answer)).toMatch(/^HTTP\/1.1 (200|404|410)/)
  expect(await metric('body_bytes')).toBe(0)
  slow.destroy()
  await until(async () => (await metric('connections')) === 0)
})

test('a body in pieces of one byte counts as the memory that it takes, and is closed', async () => {
  const pieces = Math.ceil(BODY_BYTES_SUM_MAX / BODY_PIECE_BYTES)
  expect(pieces).toBeLessThan(BODY_BYTES_MAX)
  const save = withMore(
    asking('/me', ...Object.entries(bearer(clerkId('user')))),
    ['content-type', 'application/json'],
    ['transfer-encoding', 'chunked'],
  )
  const endless = { ...save, method: 'PUT', framed: Buffer.from('1\r\n \r\n'.repeat(pieces)) }
  expect(await exchange(site.port, bytesOf(endless))).toEqual({ answers: [], isClosed: true })
  expect(await metric('connections_closed_total', 'reason="body_memory",')).toBe(1)
  expect((await site.get('/profiles')).status).toBe(200)
})

test('of a request with far too many headers, the last ones are not read', async () => {
  const id = clerkId('user')
  const before = (count: number) => {
    const others = Array.from({ length: count }, (_, index): [string, string] => [`x-${index}`, 'y'])
    return bytesOf(asking('/me', ...others, ...Object.entries(bearer(id))))
  }
  const statusBehind = async (count: number) => (await exchange(site.port, before(count))).answers[0]?.status
  expect(await statusBehind(HEADERS_MAX - 10)).not.toBe(401)
  // Node reads them by 32, so that it may be some more.
  expect(await statusBehind(2 * HEADERS_MAX)).toBe(401)
})
