import type { PacketLimit } from '../database/packet-limit.js'
import { PACKET_SHARE } from '../limits.js'
import type { DecodedEvent } from './apply.js'

/** Splits a batch into parts whose texts are a small share of a packet. A larger event is a part of its own. */
export function splitBatch(batch: readonly DecodedEvent[], { bytes: packetBytes }: PacketLimit): DecodedEvent[][] {
  const parts: DecodedEvent[][] = []
  let left = 0
  for (const event of batch) {
    const size = sizeOf(event)
    const part = parts.at(-1)
    if (part && size <= left) part.push(event)
    else {
      parts.push([event])
      left = packetBytes * PACKET_SHARE
    }
    left -= size
  }
  return parts
}

/** Whether the event is too large for any statement. */
export const exceedsPacket = (event: DecodedEvent, { bytes }: PacketLimit): boolean => sizeOf(event) >= bytes

const sizeOf = ({ change }: DecodedEvent) => (change && !change.deleted ? change.data.length : 0)
