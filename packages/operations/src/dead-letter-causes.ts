import type { FailureClass } from '@clerk-mirror/events'
import type { DeadLetter, Reason } from '@clerk-mirror/queue/operate'
import { CAUSES_MAX } from './limits.js'

/** Dead letters that died of the same. Times in ms. */
export type DeadLetterCause = {
  fingerprint: string
  class: FailureClass
  code: string
  /** Of the sample; numbers in it differ from dead letter to dead letter. */
  message: string
  count: number
  firstFailedAtMs: number
  lastFailedAtMs: number
  /** The dead letter that died last. */
  sampleId: string
  /** The advice, in a sentence or two. */
  advice: string
}

/** Most dead letters first. `total` counts dead letters of causes beyond CAUSES_MAX too, which are not listed. */
export type DeadLetterCauses = { total: number; causes: DeadLetterCause[] }

/** Groups dead letters as they come, oldest first. */
export class CauseCount {
  readonly #causes = new Map<string, DeadLetterCause>()
  #total = 0

  add({ id, reason, failedAtMs }: DeadLetter): void {
    this.#total += 1
    const { fingerprint } = reason
    const known = this.#causes.get(fingerprint)
    if (!known && this.#causes.size >= CAUSES_MAX) return
    const first = known?.firstFailedAtMs ?? failedAtMs
    const times = { firstFailedAtMs: Math.min(first, failedAtMs), lastFailedAtMs: failedAtMs }
    const count = (known?.count ?? 0) + 1
    this.#causes.set(fingerprint, { ...reason, count, ...times, sampleId: id, advice: adviceOn(reason) })
  }

  result(): DeadLetterCauses {
    return { total: this.#total, causes: [...this.#causes.values()].sort((one, other) => other.count - one.count) }
  }
}

const ADVICE_ON_CODE: Readonly<Record<string, string>> = {
  malformed:
    'The body is signed, and not an event that can be keyed. Compare a sample’s payload with Clerk’s documentation; if Clerk is right, report it, and replay after the fix. Another try before that fails again.',
  unreadable_job:
    'Ingest did not write this job, or it lost its content. Look for other writers of this Redis, and whether it evicts; then discard it.',
  envelope_key_missing:
    'The workers lack the key that the message names. Give it to them in ENVELOPE_KEYS, then replay this cause.',
  envelope_not_authentic:
    'Ingest has another key by the id that the message names, or these bytes are not its own. Compare the keys; with the right one, replay this cause. Else look for other writers of this Redis, discard them, and have Clerk send the events again.',
  reaction_failed:
    'The reaction threw, again and again for a day. The dead letter shows the place; mend the code, then replay this cause.',
  reaction_timeout:
    'The reaction took longer than it may, again and again for a day. Find its slow dependency, then replay this cause.',
  reaction_unreadable: 'No relay of ours wrote this job. Look for other writers of this Redis; then discard it.',
  object_unreadable: 'The stored object is no JSON. Look for other writers of clerk_objects.',
  receiver_refused:
    'The receiver answered, and did not take it, for a day. Its log knows why; replay when it takes deliveries again.',
  receiver_unreachable: 'The receiver did not answer for a day. Replay when it is back.',
  receiver_gone: 'The receiver is gone for good (410). Take it out of CHANGE_WEBHOOK_URLS, and discard.',
  receiver_private:
    'The address leads into a private network. Set CHANGE_WEBHOOK_ALLOW_PRIVATE if it is meant to, then replay.',
  unclassified: 'Another program moved these here, in words of its own. Replay them when they should be applied.',
}

const ADVICE_ON_CLASS: Readonly<Record<FailureClass, string>> = {
  poison:
    'The database refuses a value. Look at a sample and the number in the code (docs/errors.md), mend the column or the constraint, then replay this cause.',
  killer:
    'Every worker that had one of these alone died of it. See how the workers ended (memory?), keep a sample and report it; replay after the fix. Those without a record of workers that died (--unproven) were condemned by an earlier version, which mistook outages for deaths: replay them.',
  outage: 'The database was away. When the workers’ breakers are closed again, replay this cause.',
  blocked: 'A constraint or a lock that the application added stops these events. Remove it, then replay this cause.',
  contention: 'Another program locks these tables for long. Find it, then replay this cause.',
  unknown:
    'It failed again and again over five hours. The worker’s log has the error (event.retrying); mend its cause, then replay.',
}

const adviceOn = ({ class: failureClass, code }: Reason) => ADVICE_ON_CODE[code] ?? ADVICE_ON_CLASS[failureClass]
