import { type Partition, partitions } from '@clerk-mirror/queue/enqueue'
import { expect, test } from 'vitest'
import { enqueueInto } from '../../../packages/queue/src/enqueue/enqueue.js'
import { fixedPartitions } from '../../../packages/queue/src/enqueue/partition-router.js'
import type { Write } from '../../../packages/queue/src/enqueue/replicas.js'
import type { JobScripts } from '../../../packages/queue/src/lua/job-scripts.js'
import { envelope } from '../../support/queue/queue.js'

const [home, ...previous] = partitions(33) as [Partition, ...Partition[]]
const router = { ...fixedPartitions([home]), previousPartitionsFor: () => previous }
const storing = (write: (tag: string) => Promise<string[]>) =>
  enqueueInto(write as unknown as Write<JobScripts>, router, new Map())(envelope('msg_a'), undefined)

test('previous partitions are asked all at once: the one that has the dead letter is heard beside silent ones', async () => {
  const asked = new Set<string>()
  let answer: (how: string[]) => void = () => {}
  const how = await storing((tag) => {
    if (tag === home.prefix) return Promise.resolve(['added'])
    asked.add(tag)
    const deadLetter = new Promise<string[]>((resolve) => {
      if (asked.size === 1) answer = resolve
    })
    // Asked one after the other, the last one is asked when the time for the first is over.
    if (asked.size === previous.length) answer(['revived'])
    return deadLetter
  })
  expect({ asked: asked.size, how }).toEqual({ asked: 32, how: 'revived' })
})

test('an event goes to its home when all previous partitions are silent, or know nothing of it', async () => {
  const silent = () => new Promise<string[]>(() => {})
  const others: (() => Promise<string[]>)[] = [silent, async () => ['absent']]
  for (const other of others) {
    expect(await storing((tag) => (tag === home.prefix ? Promise.resolve(['added']) : other()))).toBe('added')
  }
})
