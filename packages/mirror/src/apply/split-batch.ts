import { PACKET_SHARE } from '../limits.js'
import type { Arrival } from './apply.js'

/** What a server takes in one statement. It is known once a connection was made; until then nothing is split for it. */
export type PacketLimit = { bytes: number }

/** A batch in parts whose texts are a small share of a packet. An event that is larger is a part of its own. */
export function partsFor(batch: readonly Arrival[], { bytes: packetBytes }: PacketLimit): Arrival[][] {
  const parts: Arrival[][] = []
  let left = 0
  for (const arrival of batch) {
    const size = sizeOf(arrival)
    const part = parts.at(-1)
    if (part && size <= left) part.push(arrival)
    else {
      parts.push([arrival])
      left = packetBytes * PACKET_SHARE
    }
    left -= size
  }
  return parts
}

/** Whether no statement can carry the event. */
export const exceedsPacket = (arrival: Arrival, { bytes }: PacketLimit): boolean => sizeOf(arrival) >= bytes

const sizeOf = ({ change }: Arrival) => (change && !change.deleted ? change.data.length : 0)
