import type { ProfileCursor } from '@clerk-mirror/mirror'

// Bounded so that both are values of their columns: the year 5138, and 18 digits of a BIGINT.
const CURSOR = /^(\d{1,14})\.(\d{1,18})$/

/** Opaque to its clients: its content may change. */
export const cursorText = ({ listedAtMs, id }: ProfileCursor): string =>
  Buffer.from(`${listedAtMs}.${id}`).toString('base64url')

/** Null for a text that is none of ours. */
export function parseCursor(text: string): ProfileCursor | null {
  const [, listedAtMs, id] = CURSOR.exec(Buffer.from(text, 'base64url').toString('latin1')) ?? []
  return listedAtMs === undefined || id === undefined ? null : { listedAtMs: Number(listedAtMs), id: BigInt(id) }
}
