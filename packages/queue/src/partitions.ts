/** The queue's name. Contract: a stock BullMQ worker and bull-board find it under it. */
export const QUEUE_NAME = 'clerk-events'

/** One partition of the queue. All its keys share a slot of a Redis Cluster by the braces in its prefix. */
export type Partition = { prefix: string; key: (name: string) => string }

export const partition = (prefix: string): Partition => ({
  prefix,
  key: (name) => `${prefix}:${QUEUE_NAME}:${name}`,
})

/** `{clerk-0}`, `{clerk-1}`, … */
export const partitions = (count: number): Partition[] =>
  Array.from({ length: count }, (_, index) => partition(`{clerk-${index}}`))

/** The partition that an event belongs to. There is one until events are spread by a hash of their object's id. */
export function partitionFor(_objectId: string | null, list: readonly Partition[]): Partition {
  const [only] = list
  if (!only || list.length > 1) throw new Error('events are not spread over partitions yet')
  return only
}
