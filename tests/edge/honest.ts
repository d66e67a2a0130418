import { setTimeout as pause } from 'node:timers/promises'
import { bytesOf, signedRequest } from './request.js'
import type { EdgeSite } from './site.js'
import { exchange } from './wire.js'

/** A third of Svix' patience. On a quiet machine it takes milliseconds: the reports have the exact times. */
const TAKEN_WITHIN_MS = 5_000
const AGAIN_AFTER_MS = 100

/**
 * One signed event on a connection of its own, again after a 503, as Svix does. Returns how long until it was taken.
 */
export async function sendHonest(
  site: EdgeSite,
  id: string,
  violations: string[],
  withinMs = TAKEN_WITHIN_MS,
): Promise<number> {
  const body = '{"type":"user.created","data":{"id":"user_1"}}'
  const startedMs = performance.now()
  const tookMs = () => Math.round(performance.now() - startedMs)
  for (;;) {
    const { answers } = await exchange(site.port, bytesOf(signedRequest({ secret: site.secret, id, body })))
    const status = answers[0]?.status
    const isTaken = status === 202
    if (tookMs() > withinMs) violations.push(`an honest event waited for ${tookMs()} ms`)
    else if (!isTaken && status !== 503) violations.push(`an honest event was answered ${status}`)
    if (isTaken || status !== 503 || tookMs() > withinMs) return tookMs()
    await pause(AGAIN_AFTER_MS)
  }
}
