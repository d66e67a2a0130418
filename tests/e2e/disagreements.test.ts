import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { runCli } from '../support/processes/processes.js'
import { canOpenHouse, openHouse } from '../support/processes/stack.js'
import { until } from '../support/until.js'

const SHIFTED = fileURLToPath(new URL('../support/processes/shifted-clock.mjs', import.meta.url))
const inHouse = test.skipIf(!(await canOpenHouse('own redis')))

type Difference = { setting: string; values: { value: string; processes: string[] }[] }

inHouse('processes that differ are found by status and by a metric, and work all the same', async () => {
  await using house = await openHouse('own redis')
  const key = randomBytes(32).toString('base64')
  const ingest = await house.ingest({
    ...{ CLERK_INSTANCE_ID: 'ins_1abc', ENVELOPE_KEYS: `new:${key}` },
    NODE_OPTIONS: `--import ${SHIFTED}?offsetMs=-60000`,
  })
  const other = await house.ingest({ ENVELOPE_KEYS: `new:${key}` })
  const worker = await house.worker({ MIRROR_KINDS: 'user,organization', REACTIONS: '*' })
  await house.worker({ MIRROR_KINDS: 'user', ENVELOPE_KEYS: `new:${key}` })

  const differing = async () => {
    const { stdout } = await runCli('status --json', house.env)
    return JSON.parse(stdout).disagreements as Difference[]
  }
  const expected = ['clock', 'encryption_key', 'instance_id', 'key_ids', 'kinds', 'reactions']
  await until(
    async () => JSON.stringify((await differing()).map(({ setting }) => setting).sort()) === JSON.stringify(expected),
    30_000,
  )
  const found = new Map((await differing()).map(({ setting, values }) => [setting, values]))
  expect(
    found
      .get('kinds')
      ?.map(({ value }) => value)
      .sort(),
  ).toEqual(['organization,user', 'user'])
  expect(found.get('clock')).toEqual([
    { value: expect.stringMatching(/^−(59|60|61)\.\d s$/), processes: [expect.stringMatching(/^ingest /)] },
  ])
  expect(found.get('encryption_key')).toEqual([{ value: 'new', processes: [expect.stringMatching(/^worker /)] }])
  expect((await runCli('status', house.env)).stdout).toMatch(/differs +value +in/)

  await until(async () => {
    const texts = [
      worker.url,
      `http://127.0.0.1:${(await ingest.says('health.listening'))['port']}`,
      `http://127.0.0.1:${(await other.says('health.listening'))['port']}`,
    ]
    const metrics = (await Promise.all(texts.map(async (url) => (await fetch(`${url}/metrics`)).text()))).join('\n')
    return (
      /clerk_mirror_disagreements\{setting="kinds",app="\w+"\} 2/.test(metrics) &&
      /clerk_mirror_disagreements\{setting="version",app="\w+"\} 0/.test(metrics)
    )
  }, 30_000)
  await until(async () => (await fetch(`${worker.url}/readyz`)).status === 200)
})
