import { ALERT_CLAIM_MS } from '../limits.js'
import { firstOf, type Partitions } from '../partitions.js'
import { openPromptClient } from '../redis/connection.js'
import type { RedisTarget } from '../redis/redis-url.js'

/** Claims on the notification of a cause, so that one of many workers sends it, once a day. */
export type AlertClaims = Disposable & {
  /** True for the first process that claims a cause within `ALERT_CLAIM_MS`. @throws when Redis does not answer. */
  claim: (fingerprint: string) => Promise<boolean>
  /** Withdraws a claim after a failed alert: the next dead letter of that cause is the first again. */
  withdraw: (fingerprint: string) => Promise<void>
}

/** Connects in the background. */
export function openAlertClaims(target: RedisTarget, partitions: Partitions): AlertClaims {
  const client = openPromptClient(target)
  client.on('error', () => {}) // each command reports its own, and the process has been told by its other connection
  const keyOf = (fingerprint: string) => firstOf(partitions).key(`clerk-mirror:notice:${fingerprint}`)
  return {
    claim: async (fingerprint) => (await client.set(keyOf(fingerprint), '1', 'PX', ALERT_CLAIM_MS, 'NX')) === 'OK',
    withdraw: async (fingerprint) => void (await client.del(keyOf(fingerprint))),
    [Symbol.dispose]: () => client.disconnect(),
  }
}
