import { randomBytes } from 'node:crypto'

/** An entry of ENVELOPE_KEYS with a key of its own. */
export const madeUpKey = (id: string) => `${id}:${randomBytes(32).toString('base64')}`
