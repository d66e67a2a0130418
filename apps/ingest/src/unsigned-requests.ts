import { type CheckedSignatureHeaders, checkSignatureHeaders } from '@clerk-mirror/events'
import { FailuresByAddress, type Log, networkOf } from '@clerk-mirror/runtime'
import type { RefusalCode } from './errors.js'
import { ADDRESSES_MAX, UNSIGNED_LINES_MAX, UNSIGNED_MAX, UNSIGNED_MS } from './limits.js'

const EVERYBODY = 'everybody'

export type HeaderDecision =
  | { kind: 'plausible'; headers: CheckedSignatureHeaders }
  | { kind: 'refused'; code: RefusalCode; retryAfterS?: number }

/**
 * Refuses requests that cannot be signed, before their body is read. An address with too many of them is only told to
 * come later, and fills no log. A request that can be signed is always verified, even from such an address: a flood
 * of junk, also through the same proxy, blocks no other sender.
 */
export class UnsignedRequests {
  readonly #failures: FailuresByAddress
  readonly #lines: FailuresByAddress
  readonly #clock: () => number
  readonly #log: Log

  constructor(clock: () => number, log: Log) {
    const limit = { failuresMax: UNSIGNED_MAX, windowMs: UNSIGNED_MS, addressesMax: ADDRESSES_MAX }
    this.#failures = new FailuresByAddress(limit, clock)
    this.#lines = new FailuresByAddress(
      { failuresMax: UNSIGNED_LINES_MAX, windowMs: UNSIGNED_MS, addressesMax: 1 },
      clock,
    )
    this.#clock = clock
    this.#log = log
  }

  /** Checks the signature headers of a request before its body is read. */
  judge(rawHeaders: readonly string[], address: string): HeaderDecision {
    const checked = checkSignatureHeaders(rawHeaders, this.#clock())
    if (checked.kind === 'plausible') return checked
    const waitS = this.#failures.waitS(address)
    this.failed(address, { code: checked.code, cause: checked.message })
    if (waitS > 0) return { kind: 'refused', code: 'too_many_requests', retryAfterS: waitS }
    return { kind: 'refused', code: checked.code }
  }

  /**
   * A request that was not Clerk's: counted, and logged unless its address, or all together, have filled enough lines.
   */
  failed(address: string, why: { code: RefusalCode; cause: string | undefined; durationMs?: number }): void {
    const isSilent = this.#failures.waitS(address) > 0
    const count = this.#failures.add(address)
    if (isSilent || this.#lines.waitS(EVERYBODY) > 0) return
    const lines = this.#lines.add(EVERYBODY)
    this.#log.warn({ event: 'event.refused', ...why, address: networkOf(address) })
    if (count < UNSIGNED_MAX && lines < UNSIGNED_LINES_MAX) return
    const [whose, from] = lines < UNSIGNED_LINES_MAX ? ['its', networkOf(address)] : ['these', EVERYBODY]
    const message = `no more of ${whose} refusals are logged for now: the metrics count them`
    this.#log.warn({ event: 'ingest.junk', address: from }, message)
  }
}
