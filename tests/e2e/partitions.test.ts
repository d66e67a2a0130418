import { history } from '@clerk-mirror/devstack'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Pour, pour, refused, taken } from '../support/http/deliveries.js'
import { isReady, queueErrors, runCli } from '../support/processes/processes.js'
import { canOpenHouse, type House, type IngestProcess, openHouse } from '../support/processes/stack.js'
import { until } from '../support/until.js'

/** A dozen processes start one after the other, and the machine may have others to run. */
const PATIENTLY = { timeout: 600_000 }
const nothingLeft = { wait: 0, active: 0, delayed: 0, failed: 0 }

describe.skipIf(!(await canOpenHouse('own redis')))('the number of partitions', () => {
  let house: House
  beforeEach(async () => {
    house = await openHouse('own redis')
  })
  afterEach(() => house[Symbol.asyncDispose]())

  const ingestOver = async (count: number): Promise<IngestProcess> => {
    const ingest = await house.ingest({ QUEUE_PARTITIONS: String(count) })
    await until(() => isReady(ingest))
    return ingest
  }

  test('may go up and down while everything runs, as the runbook says, and no event is lost', PATIENTLY, async () => {
    await using worker = await house.worker()
    const { deliveries } = history({ seed: 51, users: 120, shuffle: true, duplicates: 0.2, deletes: 0.1 })
    const parts = [0, 1, 2, 3, 4].map((index) => deliveries.filter((_, at) => at % 5 === index))
    const traffic: Pour[] = []
    const begin = (ingest: IngestProcess, part: number) => {
      const begun = pour(ingest, parts[part] ?? [])
      traffic.push(begun)
      return begun
    }
    const one = await ingestOver(1)
    const alone = begin(one, 0)
    const four = await ingestOver(4)
    const [old, young] = [begin(one, 1), begin(four, 2)]
    await Promise.all([alone.done, old.done])
    expect((await one.stop()).code).toBe(0)
    const two = await ingestOver(2)
    const beside = [begin(four, 3), begin(two, 4)]
    await Promise.all([young.done, ...beside.map(({ done }) => done)])
    const answers = traffic.flatMap((each) => each.answers)
    expect(refused(answers)).toEqual([])

    const inUse = await runCli('partitions retire 3', house.env)
    expect(inUse).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('still puts events there') })
    await four.stop()
    await house.settled(taken(answers).map(({ eventId }) => eventId))
    for (const index of [3, 2]) {
      expect(await runCli(`partitions retire ${index}`, house.env)).toMatchObject({ code: 0, stderr: '' })
    }
    const { stdout } = await runCli('partitions list --json', house.env)
    expect(JSON.parse(stdout).partitions).toEqual(
      [0, 1].map((index) => ({ prefix: `{clerk-${index}}`, events: 0, doors: 1 })),
    )
    expect(await house.counts()).toEqual(nothingLeft)
    expect(await house.differences(deliveries)).toEqual([])
    expect(queueErrors(worker)).toEqual([])
  })
})
