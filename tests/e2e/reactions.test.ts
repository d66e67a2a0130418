import { afterEach, expect, test } from 'vitest'
import type { CurrentObject, Reaction, ReactionRun } from '../../apps/worker/src/reactions/reaction.js'
import { clerkEvent, clerkId, clerkUser } from '../support/clerk-events.js'
import { openReceiver } from '../support/http/receiver.js'
import { reckonReactions, webhooksTo } from '../support/reactions.js'
import { until } from '../support/until.js'
import { openWorld, type World } from '../support/world.js'

const worlds: World[] = []
afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world[Symbol.asyncDispose]()))
})
async function world(...options: Parameters<typeof openWorld>): Promise<World> {
  const opened = await openWorld(...options)
  worlds.push(opened)
  return opened
}

const placeOf = (at: World, reaction: string, name: string) =>
  at.key(name).replace(/^(\{.*\}):clerk-events:/, `$1-${reaction}:clerk-reactions:`)

test('a receiver hears of a user who is created, changed and deleted, once each, and of nothing else', async () => {
  await using receiver = await openReceiver()
  const { send, database, logged } = await world({ worker: { changeWebhooks: webhooksTo(receiver.url) } })
  const ada = clerkId('user')
  const told = () => receiver.received.map(({ body }) => body.type)
  const hears = (count: number) => until(() => receiver.received.length === count)
  await send(clerkEvent('user.updated', clerkUser(ada, 2, { username: 'ada' })))
  await hears(1)
  await send(clerkEvent('user.created', clerkUser(ada, 1, { username: 'late' })))
  await send(clerkEvent('user.updated', clerkUser(ada, 3, { username: 'countess' })))
  await hears(2)
  await send(clerkEvent('user.deleted', { id: ada, deleted: true }))
  await hears(3)
  expect(told()).toEqual(['user.created', 'user.updated', 'user.deleted'])
  expect(receiver.received[1]?.body.data.changedFields).toEqual(['updated_at', 'username'])
  expect(receiver.received[1]?.body.data.object?.public).toMatchObject({ username: 'countess' })
  expect(await reckonReactions(database.query, receiver.received)).toMatchObject({
    missing: [],
    invented: [],
    twice: 0,
  })
  expect(logged.join('')).not.toContain('countess')
})

test('a reaction in code gets the object, what changed and a key, and only what it wants', async () => {
  const runs: (Omit<ReactionRun, 'object'> & { object: CurrentObject | null })[] = []
  const recorder: Reaction = {
    name: 'recorder',
    wants: [{ on: 'user.updated', fields: ['username'] }, 'organization.*'],
    react: async (run) => void runs.push({ ...run, object: await run.object() }),
  }
  const { send, settled } = await world({ worker: { reactions: [recorder] } })
  const [ada, org] = [clerkId('user'), clerkId('org')]
  await send(clerkEvent('user.created', clerkUser(ada, 1, { username: 'ada' })))
  await settled()
  await send(clerkEvent('user.updated', clerkUser(ada, 2, { username: 'ada', first_name: 'Augusta' })))
  await settled()
  await send(clerkEvent('user.updated', clerkUser(ada, 3, { username: 'countess' })))
  await send(clerkEvent('organization.created', { id: org, name: 'Engines', updated_at: 1 }))
  await until(() => runs.length === 2)
  const [renamed, founded] = runs.toSorted((one, other) => (one.change.kind < other.change.kind ? 1 : -1))
  expect(renamed).toMatchObject({ attempt: 1, object: { id: ada, fields: { username: 'countess' } } })
  expect(renamed?.change).toMatchObject({ what: 'updated', objectId: ada, userId: ada })
  expect(renamed?.change.changedFields).toContain('username')
  expect(founded?.change).toMatchObject({ what: 'created', kind: 'organization', organizationId: org })
  expect(renamed?.idempotencyKey).not.toBe(founded?.idempotencyKey)
})

test('a reaction that fails or hangs delays neither the mirror nor another, and is tried again', async () => {
  await using receiver = await openReceiver()
  const hangs: Reaction = { name: 'hangs', wants: ['*'], react: () => new Promise(() => {}) }
  const throws: Reaction = {
    name: 'throws',
    wants: ['user.created'],
    async react() {
      throw new Error('ada@example.com is what it fell over')
    },
  }
  const at = await world({ worker: { reactions: [hangs, throws], changeWebhooks: webhooksTo(receiver.url) } })
  const users = Array.from({ length: 30 }, () => clerkId('user'))
  await Promise.all(users.map((id) => at.send(clerkEvent('user.created', clerkUser(id, 1)))))
  await at.settled()
  await until(() => receiver.received.length === users.length)
  const delayed = () => at.redis.zcard(placeOf(at, 'throws', 'delayed'))
  await until(async () => (await delayed()) > 0)
  expect(at.logged.some((line) => line.includes('reaction.retrying') && line.includes('reaction_failed'))).toBe(true)
  expect(at.logged.join('')).not.toContain('ada@example.com')
  const metrics = await (await fetch(`${at.workerUrl}/metrics`)).text()
  expect(metrics).toMatch(/clerk_mirror_reaction_runs_total\{reaction="throws",result="retried",app="worker"\} \d/)
})

test('without reactions there is no outbox, no relay and no queue of theirs', async () => {
  const at = await world()
  await at.send(clerkEvent('user.created', clerkUser(clerkId('user'), 1)))
  await at.settled()
  expect(await at.database.query('SELECT * FROM reaction_outbox')).toEqual([])
  expect(
    (await at.redis.keys('*')).filter(
      (key) => key.includes('clerk-reactions') && key.startsWith(at.key('').split(':')[0] ?? ''),
    ),
  ).toEqual([])
})
