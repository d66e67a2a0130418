import { type ProducerPresence, readProducers } from '../heartbeats/producer-heartbeat.js'
import { type WorkerPresence, workersAlive } from '../heartbeats/worker-heartbeat.js'
import { CLOCK_SHIFT_MAX_MS } from '../limits.js'
import { reactionRegistryKeys, readRegistry } from '../lua/reaction-registry-scripts.js'
import { firstOf, type Partitions } from '../partitions.js'
import type { RedisClient } from '../redis/connection.js'

/** The settings that all living processes should share. */
export const AGREED_SETTINGS = [
  'version',
  'kinds',
  'key_ids',
  'encryption_key',
  'installation',
  'instance_id',
  'clock',
  'reactions',
  'unserved_reactions',
] as const
export type AgreedSetting = (typeof AGREED_SETTINGS)[number]

/** A setting with more than one value, and the processes of each value. Processes are named `worker HOST PID`. */
export type Disagreement = { setting: AgreedSetting; values: { value: string; processes: string[] }[] }

/** The living processes, by their own account. */
export type LivingProcesses = {
  workers: readonly WorkerPresence[]
  ingests: readonly ProducerPresence[]
  /** Names of the requested reactions. */
  requested: readonly string[]
}

const FORMER_RELEASE = 'an earlier release'

/** Empty when the processes agree. Processes of a release that reported no settings differ in their version alone. */
export function disagreementsOf({ workers, ingests, requested }: LivingProcesses): Disagreement[] {
  const named = [
    ...workers.map((worker) => ({ ...worker, name: `worker ${worker.host} ${worker.pid}` })),
    ...ingests.map((ingest) => ({ ...ingest, name: `ingest ${ingest.host} ${ingest.pid}` })),
  ]
  const telling = workers.flatMap(({ host, pid, settings }) =>
    settings ? [{ name: `worker ${host} ${pid}`, ...settings }] : [],
  )
  const tellingIngests = ingests.flatMap(({ host, pid, settings }) =>
    settings ? [{ name: `ingest ${host} ${pid}`, ...settings }] : [],
  )
  const differing = <T extends { name: string }>(all: readonly T[], valueIn: (one: T) => string | null) =>
    grouped(all.map((one) => [valueIn(one), one.name]))
  const all: Record<AgreedSetting, Disagreement['values']> = {
    version: differing(named, ({ settings }) => settings?.version ?? FORMER_RELEASE),
    kinds: differing(telling, ({ kinds }) => kinds),
    key_ids: differing(telling, ({ keyIds }) => keyIds.join(',') || 'none'),
    encryption_key: unopened(telling, tellingIngests),
    installation: differing(telling, ({ installation }) => installation),
    instance_id: differing(tellingIngests, ({ instanceId }) => instanceId ?? 'none'),
    clock: shifted(named),
    reactions: differing(telling, ({ reactions }) => reactions.join(',') || 'none'),
    unserved_reactions: unserved(telling, requested),
  }
  return AGREED_SETTINGS.flatMap((setting) => (all[setting].length > 0 ? [{ setting, values: all[setting] }] : []))
}

/** Empty when all values are the same; null is no value. */
function grouped(pairs: readonly (readonly [string | null, string])[]): Disagreement['values'] {
  const groups = new Map<string, string[]>()
  for (const [value, name] of pairs) if (value !== null) groups.set(value, [...(groups.get(value) ?? []), name])
  return groups.size > 1 ? [...groups].map(([value, processes]) => ({ value, processes })) : []
}

/** Keys that ingest encrypts with, and the workers that lack them. */
function unopened(
  workers: readonly { name: string; keyIds: readonly string[] }[],
  ingests: readonly { keyIds: readonly string[] }[],
): Disagreement['values'] {
  const encrypting = new Set(ingests.flatMap(({ keyIds }) => keyIds.slice(0, 1)))
  return [...encrypting].flatMap((id) => {
    const lacking = workers.filter(({ keyIds }) => !keyIds.includes(id)).map(({ name }) => name)
    return lacking.length > 0 ? [{ value: id, processes: lacking }] : []
  })
}

function shifted(all: readonly { name: string; clockShiftMs?: number }[]): Disagreement['values'] {
  return all.flatMap(({ name, clockShiftMs = 0 }) => {
    if (Math.abs(clockShiftMs) <= CLOCK_SHIFT_MAX_MS) return []
    const sign = clockShiftMs > 0 ? '+' : '−'
    return [{ value: `${sign}${(Math.abs(clockShiftMs) / 1000).toFixed(1)} s`, processes: [name] }]
  })
}

/** Requested reactions that no living worker runs; unknown while a worker of an earlier release may run them. */
function unserved(
  workers: readonly { reactions: readonly string[] }[],
  requested: readonly string[],
): Disagreement['values'] {
  if (workers.length === 0) return []
  const served = new Set(workers.flatMap(({ reactions }) => reactions))
  return requested.filter((name) => !served.has(name)).map((name) => ({ value: name, processes: [] }))
}

/** @throws when Redis does not answer. */
export async function readLivingProcesses(client: RedisClient, partitions: Partitions): Promise<LivingProcesses> {
  const [register] = reactionRegistryKeys(partitions)
  const [workers, ingests, fields] = await Promise.all([
    workersAlive(client, partitions),
    ingestsAlive(client, partitions),
    client.hgetall(register),
  ])
  const requested = [...readRegistry(['', ...Object.entries(fields).flat()]).keys()]
  return { workers, ingests, requested }
}

/** Fixed partitions have no registry, and so no ingest processes on one. */
async function ingestsAlive(client: RedisClient, partitions: Partitions): Promise<ProducerPresence[]> {
  const namespace = /^\{(.+)-0\}$/.exec(firstOf(partitions).prefix)?.[1]
  if (namespace === undefined) return []
  return (await readProducers(client, namespace)).producers
}
