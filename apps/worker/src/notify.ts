import { setTimeout as pause } from 'node:timers/promises'
import type { AlertClaims, Reason } from '@clerk-mirror/queue/consume'
import { NO_PROXIES, type ProxySettings, printable, proxyFor } from '@clerk-mirror/runtime'
import {
  NOTICE_ANSWER_MS,
  NOTICE_ASK_AGAIN_MS,
  NOTICE_CAUSES_MAX,
  NOTICE_GAP_MS,
  NOTICE_RETRY_DELAYS_MS,
  NOTICES_PENDING_MAX,
} from './limits.js'
import { type Outgoing, openOutgoing } from './reaction-runtime/outgoing.js'

/** A dead letter as people are told of it: its cause, and the type of the event that had it first. */
export type Alert = { type: string; reason: Reason }

export type NotifierOptions = {
  /** Takes `{"text": "…"}` by POST. */
  url: string
  proxies?: ProxySettings | undefined
  claims: AlertClaims
  observer: { notified: (causes: number) => void; failed: (causes: number, error: Error) => void }
  pace?: Pace
}

export type Pace = { gapMs: number; answerMs: number; retryDelaysMs: readonly number[] }

export type Notifier = AsyncDisposable & {
  /** Never waits and never throws: whoever is told is none of the events' business. */
  deadLettered: (news: Alert) => void
}

const PACE: Pace = { gapMs: NOTICE_GAP_MS, answerMs: NOTICE_ANSWER_MS, retryDelaysMs: NOTICE_RETRY_DELAYS_MS }

/** Tells people of the first dead letter of each cause, in the background. */
export function openNotifier(options: NotifierOptions): Notifier {
  const { claims, observer, pace = PACE, proxies = NO_PROXIES } = options
  const url = new URL(options.url)
  const receiver = openOutgoing({ url, proxy: proxyFor(url, proxies), connections: 1 })
  const stop = new AbortController()
  const pending = new Map<string, Alert>()
  const askedAtMs = new Map<string, number>()
  let notifying: Promise<void> | undefined

  const notify = async (): Promise<void> => {
    while (pending.size > 0 && !stop.signal.aborted) {
      const first = [...pending.values()].slice(0, NOTICE_CAUSES_MAX)
      for (const { reason } of first) pending.delete(reason.fingerprint)
      const claimed = await claim(first, claims, askedAtMs)
      if (claimed.length === 0) continue
      try {
        await deliver(receiver, messageOf(claimed), pace, stop.signal)
        observer.notified(claimed.length)
      } catch (error) {
        for (const { reason } of claimed) {
          askedAtMs.delete(reason.fingerprint)
          await claims.withdraw(reason.fingerprint).catch(() => {})
        }
        observer.failed(claimed.length, error instanceof Error ? error : new Error(String(error)))
      }
      await pause(pace.gapMs, undefined, { signal: stop.signal }).catch(() => {})
    }
    notifying = undefined
  }

  return {
    deadLettered(news) {
      const { fingerprint } = news.reason
      const askedMs = askedAtMs.get(fingerprint) ?? Number.NEGATIVE_INFINITY
      const isKnown = performance.now() - askedMs < NOTICE_ASK_AGAIN_MS
      if (isKnown || pending.has(fingerprint) || pending.size >= NOTICES_PENDING_MAX) return
      pending.set(fingerprint, news)
      notifying ??= notify()
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await notifying
      receiver[Symbol.dispose]()
    },
  }
}

/** Those that no process has told of today. */
async function claim(alerts: readonly Alert[], claims: AlertClaims, asked: Map<string, number>): Promise<Alert[]> {
  const claimed: Alert[] = []
  // Causes are few; should they ever be many, forgetting them costs a question each.
  if (asked.size > NOTICES_PENDING_MAX) asked.clear()
  for (const each of alerts) {
    const { fingerprint } = each.reason
    // Redis is away: then no dead letter was stored either, and it will be dead-lettered again.
    const isOurs = await claims.claim(fingerprint).catch(() => null)
    if (isOurs !== null) asked.set(fingerprint, performance.now())
    if (isOurs) claimed.push(each)
  }
  return claimed
}

/**
 * Codes and paths only, a cause a line whatever its type holds. The brackets and the ampersand are what chat services
 * read as markup.
 */
function messageOf(news: readonly Alert[]): string {
  const lines = news.map(({ type, reason }) =>
    printable(`• ${reason.class}/${reason.code} (cause ${reason.fingerprint}, first with ${type}): ${reason.message}`),
  )
  const causes = news.length === 1 ? 'a new cause' : `${news.length} new causes`
  const text = [`clerk-mirror: events are given up for ${causes}`, ...lines, 'See: clerk-mirror dead-letters list']
  return text.join('\n').replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** @throws when the receiver refuses, or has not taken it at the last try. */
async function deliver(
  receiver: Outgoing,
  text: string,
  { answerMs, retryDelaysMs }: Pace,
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
    // A refusal stays one; being busy passes.
    const isFinal = status < 500 && status !== 408 && status !== 429
    return { error: new Error(`the receiver answered with ${status}`), isFinal }
  } catch (error) {
    return { error: error instanceof Error ? error : new Error(String(error)), isFinal: false }
  }
}
