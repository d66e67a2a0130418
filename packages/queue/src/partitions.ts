/** The queue's name. Contract: a stock BullMQ worker and bull-board find it under it. */
export const QUEUE_NAME = 'clerk-events'

/** One partition of the queue. All its keys share a slot of a Redis Cluster by the braces in its prefix. */
export type Partition = { prefix: string; key: (name: string) => string }

export function partitions(count: number): Partition[] {
  return Array.from({ length: count }, (_, index) => {
    const prefix = `{clerk-${index}}`
    return { prefix, key: (name) => `${prefix}:${QUEUE_NAME}:${name}` }
  })
}

/** One partition until events are spread by a hash of their object's id. */
export const ONE_PARTITION = partitions(1)

/** The partition that an event belongs to. */
export function partitionFor(_objectId: string | null, list: readonly Partition[]): Partition {
  const [only] = list
  if (!only) throw new Error('a queue has at least one partition')
  return only
}
