import { Cluster } from 'ioredis'
import type { RedisClient } from './connection.js'

/** Used share of Redis' maxmemory, of the fullest node in a cluster; null without a limit. @throws */
export async function memoryShare(client: RedisClient): Promise<number | null> {
  const nodes = client instanceof Cluster ? client.nodes('master') : [client]
  const shares = await Promise.all(nodes.map(async (node) => shareIn(await node.info('memory'))))
  const limited = shares.filter((share) => share !== null)
  return limited.length > 0 ? Math.max(...limited) : null
}

function shareIn(info: string): number | null {
  const bytesOf = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0)
  const limit = bytesOf('maxmemory')
  return limit > 0 ? bytesOf('used_memory') / limit : null
}
