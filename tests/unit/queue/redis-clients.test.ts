import { Cluster, Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { endOnDisconnect } from '../../../packages/queue/src/redis/end-on-disconnect.js'

const NOBODY = { host: '127.0.0.1', port: 1 }
/** Longer than any test: the client is between two attempts until it is disconnected. */
const LONG_MS = 600_000

const told = (client: Redis | Cluster, event: string) => new Promise((resolve) => client.once(event, resolve))

test.each([
  {
    kind: 'a server',
    connect: () => new Redis({ ...NOBODY, maxRetriesPerRequest: null, retryStrategy: () => LONG_MS }),
  },
  { kind: 'a cluster', connect: () => new Cluster([NOBODY], { clusterRetryStrategy: () => LONG_MS }) },
])(
  'a client of $kind, and its copy, end when they are disconnected between two attempts to connect',
  async ({ connect }) => {
    const client = endOnDisconnect<Redis | Cluster>(connect())
    const copy = () => (client as Redis).duplicate()
    for (const open of [() => client, copy]) {
      const each = open()
      each.on('error', () => {})
      await told(each, 'reconnecting')
      const waiting = each.ping()
      const ended = told(each, 'end')
      each.disconnect()
      await expect(waiting).rejects.toThrow()
      await ended
    }
  },
)

test('a client of a cluster that its last nodes left closed ends when it is disconnected once more', async () => {
  const client = endOnDisconnect(new Cluster([NOBODY], { clusterRetryStrategy: () => LONG_MS }))
  client.on('error', () => {})
  await told(client, 'reconnecting')
  client.status = 'close'
  const ended = told(client, 'end')
  client.disconnect()
  await ended
})
