import { Cluster, type Redis } from 'ioredis'

/**
 * ioredis 6.0 emits `end` for a disconnected client when its sockets are closed. A client that waits for its next
 * attempt to connect has none: it never ends, its queued commands never fail, and BullMQ, which waits for `end`, never
 * closes the worker. This function makes such a client end at once. The copies that BullMQ makes for blocking commands
 * get the same.
 */
export function endOnDisconnect<C extends Redis | Cluster>(client: C): C {
  const disconnect = client.disconnect.bind(client)
  const duplicate = client.duplicate.bind(client) as (...how: unknown[]) => C
  client.disconnect = (reconnect = false) => {
    if (!reconnect && isBetweenAttempts(client)) {
      if (client instanceof Cluster) for (const node of client.nodes()) node.disconnect()
      // ioredis ends a client that has not connected yet without waiting for a socket.
      client.status = 'wait'
    }
    disconnect(reconnect)
  }
  client.duplicate = ((...how: unknown[]) => endOnDisconnect(duplicate(...how))) as C['duplicate']
  return client
}

/** The nodes of a cluster that close one after the other set it to `close` once more than it reacts to. */
const isBetweenAttempts = (client: Redis | Cluster) =>
  client.status === 'reconnecting' || (client instanceof Cluster && client.status === 'close')
