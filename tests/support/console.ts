import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { DatabaseOptions } from '@clerk-mirror/mirror'
import { type EnvelopeKeys, parseRedisUrl, partition } from '@clerk-mirror/queue/enqueue'
import { openLog, Releasers, Secret } from '@clerk-mirror/runtime'
import { inject } from 'vitest'
import { parseAccounts } from '../../apps/console/src/auth/accounts.js'
import type { ConsoleConfig } from '../../apps/console/src/config.js'
import { type ConsoleProcess, startConsole } from '../../apps/console/src/start.js'
import { openWorld, type World, type WorldOptions } from './world.js'

export const OPERATOR_TOKEN = 'operator-token-of-the-tests-of-the-console'
export const VIEWER_TOKEN = 'viewer-token-of-the-tests-of-the-console'

export type ConsoleWorld = World & {
  consoleUrl: string
  /** Every line that the console logged. */
  consoleLogged: string[]
  /** The address of another process of the same console. */
  anotherConsole: () => Promise<string>
  /** The console's own way to Redis: cut, it is as if Redis were gone. */
  wayToRedis: Way
}

type Options = {
  /** Another than theirs. */
  database?: DatabaseOptions
  trustProxy?: readonly string[]
  /** Of ingest and worker. */
  keys?: EnvelopeKeys
  /** The console's own. */
  consoleKeys?: EnvelopeKeys
  worker?: NonNullable<WorldOptions['worker']>
}

/** Ingest, a worker and a console in this process. */
export async function openConsoleWorld(options: Options = {}): Promise<ConsoleWorld> {
  await using owned = new Releasers()
  const world = owned.use(await openWorld({ keys: options.keys, ...(options.worker && { worker: options.worker }) }))
  const way = owned.use(await openWay(parseRedisUrl(inject('redisUrl')).nodes[0]))
  const consoleLogged: string[] = []
  const write = (line: string) => void consoleLogged.push(line)
  const log = openLog({ app: 'console', level: 'debug', pretty: false, write })
  const redis = { ...parseRedisUrl(inject('redisUrl')), nodes: [{ host: '127.0.0.1', port: way.port }] }
  const config: ConsoleConfig = {
    redis: new Secret(redis),
    partitions: [partition(world.key('').replace(/:clerk-events:$/, ''))],
    database: new Secret(options.database ?? world.database.options),
    envelopeKeys: options.consoleKeys && new Secret(options.consoleKeys),
    accounts: new Secret(parseAccounts(`ada:operator:${OPERATOR_TOKEN},bob:viewer:${VIEWER_TOKEN}`)),
    trustProxy: options.trustProxy,
    host: '127.0.0.1',
    port: 0,
    keepAliveMs: 75_000,
    logLevel: 'debug',
  }
  const begin = () => startConsole(config, { log, signal: new AbortController().signal, fail: () => {} })
  const urlOf = ({ port }: ConsoleProcess) => `http://127.0.0.1:${port}`
  const others = owned.use(new Releasers())
  const started = owned.use(await begin())
  const released = owned.move()
  return {
    ...world,
    consoleUrl: urlOf(started),
    anotherConsole: async () => urlOf(others.use(await begin())),
    consoleLogged,
    wayToRedis: way,
    [Symbol.asyncDispose]: () => released[Symbol.asyncDispose](),
  }
}

export type Way = AsyncDisposable & { port: number; cut: () => void; mend: () => void }

/** A TCP connection through here can be cut, and mended again. */
async function openWay(to: { host: string; port: number } | undefined): Promise<Way> {
  if (!to) throw new Error('there is no Redis to lead to')
  const sockets = new Set<Socket>()
  let isCut = false
  const server = createServer((near) => {
    if (isCut) return void near.destroy()
    const far = connect(to)
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket
        .on('error', () => {})
        .on('close', () => {
          sockets.delete(socket)
          near.destroy()
          far.destroy()
        })
    }
    near.pipe(far).pipe(near)
    return undefined
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  const cut = () => {
    isCut = true
    for (const socket of sockets) socket.destroy()
  }
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    cut,
    mend: () => {
      isCut = false
    },
    async [Symbol.asyncDispose]() {
      cut()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
