/** The queues by name. Contract: a stock BullMQ worker and bull-board find them under it. */
export const QUEUES = { events: 'clerk-events', reactions: 'clerk-reactions' } as const
export type QueueName = (typeof QUEUES)[keyof typeof QUEUES]

/** One partition of a queue. All its keys share a slot of a Redis Cluster by the braces in its prefix. */
export type Partition = { queue: QueueName; prefix: string; key: (name: string) => string }

/** An array, or the registry's, which changes from one moment to the next: list it anew for each request. */
export type Partitions = Iterable<Partition>

export const partition = (prefix: string, queue: QueueName = QUEUES.events): Partition => ({
  queue,
  prefix,
  key: (name) => `${prefix}:${queue}:${name}`,
})

/** The prefix of all keys of an installation, unless QUEUE_NAMESPACE sets another. */
export const DEFAULT_NAMESPACE = 'clerk'

/** Without dashes, so that no namespace's keys match the pattern of another, such as `{clerk-*`. */
const NAMESPACE = /^[a-z][a-z0-9_]{0,31}$/

/** Throws an Error that names the characters of a namespace. */
export function parseNamespace(raw: string): string {
  if (NAMESPACE.test(raw)) return raw
  throw new Error('must be 1 to 32 lower-case letters, digits and underscores, and begin with a letter')
}

/** Of the events queue: `{clerk-0}`, `{clerk-1}`, … */
export const partitions = (count: number, namespace = DEFAULT_NAMESPACE): Partition[] =>
  Array.from({ length: count }, (_, index) => partition(`{${namespace}-${index}}`))

/** Keeps the state of all partitions: their workers, the exporter of their gauges. It is never retired. */
export function firstOf(list: Partitions): Partition {
  const [first] = list
  if (!first) throw new Error('there is no partition')
  return first
}

/** Index of the partition, of so many, that holds the events of this object, or an event about none. */
export const indexOf = (id: string, count: number): number => (count === 1 ? 0 : hash(id) % count)

/** The object of an event decides, so that its events share a partition while those of different objects do not. */
export const spreadBy = ({ objectId, eventId }: { objectId: string | null; eventId: string }) => objectId ?? eventId

const FNV_OFFSET = 0x811c9dc5
const FNV_PRIME = 0x01000193

/** 32 bits: FNV-1a and a final mix, because its low bits alone are similar for similar ids. It must never change. */
function hash(text: string): number {
  let value = FNV_OFFSET
  for (let index = 0; index < text.length; index += 1) value = Math.imul(value ^ text.charCodeAt(index), FNV_PRIME)
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return (value ^ (value >>> 16)) >>> 0
}
