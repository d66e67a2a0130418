import { setTimeout as pause } from 'node:timers/promises'
import type { AlertClaims, Reason } from '@clerk-mirror/queue/consume'
import { NO_PROXIES, type ProxySettings, printable, proxyFor } from '@clerk-mirror/runtime'
import {
  ALERT_ANSWER_MS,
  ALERT_CAUSES_MAX,
  ALERT_CLAIM_AGAIN_MS,
  ALERT_GAP_MS,
  ALERT_RETRY_DELAYS_MS,
  ALERTS_PENDING_MAX,
} from './limits.js'
import { type Outgoing, openOutgoing } from './reaction-runtime/outgoing.js'

/** A dead letter to alert people of: its cause, and the type of the first event with it. */
export type Alert = { type: string; reason: Reason }

export type NotifierOptions = {
  /** Takes `{"text": "…"}` by POST. */
  url: string
  proxies?: ProxySettings | undefined
  claims: AlertClaims
  observer: { notified: (causes: number) => void; failed: (causes: number, error: Error) => void }
  timing?: NotifierTiming
}

export type NotifierTiming = { gapMs: number; answerMs: number; retryDelaysMs: readonly number[] }

export type Notifier = AsyncDisposable & {
  /** Never waits and never throws: events must not depend on the receiver of alerts. */
  deadLettered: (alert: Alert) => void
}

const TIMING: NotifierTiming = { gapMs: ALERT_GAP_MS, answerMs: ALERT_ANSWER_MS, retryDelaysMs: ALERT_RETRY_DELAYS_MS }

/** Alerts people to the first dead letter of each cause, in the background. */
export function openNotifier(options: NotifierOptions): Notifier {
  const { claims, observer, timing = TIMING, proxies = NO_PROXIES } = options
  const url = new URL(options.url)
  const receiver = openOutgoing({ url, proxy: proxyFor(url, proxies), connections: 1 })
  const stop = new AbortController()
  const pending = new Map<string, Alert>()
  const claimedAtMs = new Map<string, number>()
  let sending: Promise<void> | undefined

  const sendAll = async (): Promise<void> => {
    while (pending.size > 0 && !stop.signal.aborted) {
      const first = [...pending.values()].slice(0, ALERT_CAUSES_MAX)
      for (const { reason } of first) pending.delete(reason.fingerprint)
      const claimed = await claim(first, claims, claimedAtMs)
      if (claimed.length === 0) continue
      try {
        await deliver(receiver, messageOf(claimed), timing, stop.signal)
        observer.notified(claimed.length)
      } catch (error) {
        for (const { reason } of claimed) {
          claimedAtMs.delete(reason.fingerprint)
          await claims.withdraw(reason.fingerprint).catch(() => {})
        }
        observer.failed(claimed.length, error instanceof Error ? error : new Error(String(error)))
      }
      await pause(timing.gapMs, undefined, { signal: stop.signal }).catch(() => {})
    }
    sending = undefined
  }

  return {
    deadLettered(alert) {
      const { fingerprint } = alert.reason
      const askedMs = claimedAtMs.get(fingerprint) ?? Number.NEGATIVE_INFINITY
      const isKnown = performance.now() - askedMs < ALERT_CLAIM_AGAIN_MS
      if (isKnown || pending.has(fingerprint) || pending.size >= ALERTS_PENDING_MAX) return
      pending.set(fingerprint, alert)
      sending ??= sendAll()
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await sending
      receiver[Symbol.dispose]()
    },
  }
}

/** Returns the alerts that no process has sent today. */
async function claim(
  alerts: readonly Alert[],
  claims: AlertClaims,
  claimedAtMs: Map<string, number>,
): Promise<Alert[]> {
  const claimed: Alert[] = []
  // Causes are few; if they ever become many, forgetting them costs one request each.
  if (claimedAtMs.size > ALERTS_PENDING_MAX) claimedAtMs.clear()
  for (const each of alerts) {
    const { fingerprint } = each.reason
    // Redis is away: then no dead letter was stored either, and the event will be dead-lettered again.
    const isOurs = await claims.claim(fingerprint).catch(() => null)
    // A late Redis may have made the claim all the same, and no process would send the alert for a day. A second alert of
    // the cause does less harm.
    if (isOurs === null) await claims.withdraw(fingerprint).catch(() => {})
    else claimedAtMs.set(fingerprint, performance.now())
    if (isOurs) claimed.push(each)
  }
  return claimed
}

/**
 * Codes and paths only, one line for each cause. Brackets and ampersand are escaped, because chat services read them as
 * markup.
 */
function messageOf(alerts: readonly Alert[]): string {
  const lines = alerts.map(({ type, reason }) =>
    printable(`• ${reason.class}/${reason.code} (cause ${reason.fingerprint}, first with ${type}): ${reason.message}`),
  )
  const causes = alerts.length === 1 ? 'a new cause' : `${alerts.length} new causes`
  const text = [`clerk-mirror: events are given up for ${causes}`, ...lines, 'See: clerk-mirror dead-letters list']
  return text.join('\n').replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** @throws when the receiver refuses, or the last try fails. */
async function deliver(
  receiver: Outgoing,
  text: string,
  { answerMs, retryDelaysMs }: NotifierTiming,
  stop: AbortSignal,
): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    const failure = await post(receiver, text, AbortSignal.any([stop, AbortSignal.timeout(answerMs)]))
    if (failure === null) return
    const delayMs = retryDelaysMs[attempt]
    if (failure.isFinal || delayMs === undefined || stop.aborted) throw failure.error
    await pause(delayMs, undefined, { signal: stop }).catch(() => {})
  }
}

async function post(
  receiver: Outgoing,
  text: string,
  signal: AbortSignal,
): Promise<{ error: Error; isFinal: boolean } | null> {
  try {
    const headers = { 'content-type': 'application/json' }
    const { status } = await receiver.post(headers, JSON.stringify({ text }), signal)
    if (status >= 200 && status < 300) return null
    // Retried: a busy receiver recovers. Final: a refusal.
    const isFinal = status < 500 && status !== 408 && status !== 429
    return { error: new Error(`the receiver answered with ${status}`), isFinal }
  } catch (error) {
    return { error: error instanceof Error ? error : new Error(String(error)), isFinal: false }
  }
}
