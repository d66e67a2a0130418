/** The queues by name. Contract: a stock BullMQ worker and bull-board find them under it. */
export const QUEUES = { events: 'clerk-events', reactions: 'clerk-reactions' } as const
export type QueueName = (typeof QUEUES)[keyof typeof QUEUES]

/** One partition of a queue. All its keys share a slot of a Redis Cluster by the braces in its prefix. */
export type Partition = { queue: QueueName; prefix: string; key: (name: string) => string }

export const partition = (prefix: string, queue: QueueName = QUEUES.events): Partition => ({
  queue,
  prefix,
  key: (name) => `${prefix}:${queue}:${name}`,
})

/** Of the events queue: `{clerk-0}`, `{clerk-1}`, … */
export const partitions = (count: number): Partition[] =>
  Array.from({ length: count }, (_, index) => partition(`{clerk-${index}}`))

/** The partition that an event belongs to. There is one until events are spread by a hash of their object's id. */
export function partitionFor(_objectId: string | null, list: readonly Partition[]): Partition {
  const [only] = list
  if (!only || list.length > 1) throw new Error('events are not spread over partitions yet')
  return only
}
