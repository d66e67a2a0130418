import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { post, signUps } from '../support/deliveries.js'
import { canOpenHouse, type House, openHouse } from '../support/house.js'
import { isReady, runCli } from '../support/processes.js'
import { until } from '../support/until.js'

const STAGING = { QUEUE_NAMESPACE: 'staging' }

describe.skipIf(!(await canOpenHouse('own redis')))('two installations on one Redis', () => {
  let production: House
  let staging: House
  beforeEach(async () => {
    production = await openHouse('own redis')
    staging = await openHouse('own redis', production.env.REDIS_URL)
  })
  afterEach(async () => {
    await staging[Symbol.asyncDispose]()
    await production[Symbol.asyncDispose]()
  })

  const isLedgered = async (house: House, ids: readonly string[]) =>
    (await house.tables.outcomesOf(ids)).size === ids.length

  test('with a namespace for each, apply their own events, and see nothing of each other', async () => {
    const doors = [await production.ingest(), await staging.ingest({ ...STAGING, QUEUE_PARTITIONS: '2' })] as const
    await Promise.all([production.worker({ REACTIONS: '*' }), staging.worker({ ...STAGING, REACTIONS: '*' })])
    await until(async () => (await isReady(doors[0])) && isReady(doors[1]))
    const [ours, theirs] = [signUps(71, 20), signUps(72, 20)]
    for (const delivery of ours) expect((await post(doors[0], delivery)).status).toBe(202)
    for (const delivery of theirs) expect((await post(doors[1], delivery)).status).toBe(202)
    const [ourIds, theirIds] = [ours, theirs].map((all) => all.map(({ eventId }) => eventId)) as [string[], string[]]
    await until(async () => (await isLedgered(production, ourIds)) && isLedgered(staging, theirIds))
    expect((await production.tables.outcomesOf(theirIds)).size).toBe(0)
    expect((await staging.tables.outcomesOf(ourIds)).size).toBe(0)
    const keys = await production.client.keys('*')
    expect(keys.filter((key) => !/^\{(?:clerk|staging)-(?:\d+|partitions)\}/.test(key))).toEqual([])
    expect(keys.some((key) => key.startsWith('{staging-1}'))).toBe(true)

    const listed = await runCli('partitions list --json', { ...staging.env, ...STAGING })
    const prefixes = JSON.parse(listed.stdout).partitions.map(({ prefix }: { prefix: string }) => prefix)
    expect(prefixes).toEqual(['{staging-0}', '{staging-1}'])
    const { stdout } = await runCli('status --json', { ...staging.env, ...STAGING })
    expect(JSON.parse(stdout).workers).toHaveLength(1)
  })
})
