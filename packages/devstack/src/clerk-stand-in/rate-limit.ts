/** Requests that an instance may send within a time. */
export type Allowance = { requests: number; withinMs: number }

/** As Clerk documents it. */
export const ALLOWANCES = {
  production: { requests: 1_000, withinMs: 10_000 },
  development: { requests: 100, withinMs: 10_000 },
} as const satisfies Record<string, Allowance>

/** Counts the requests of a sliding time. An endpoint that was refused stays so until its Retry-After is over. */
export class RateLimit {
  readonly #allowance: Allowance
  #takenAtMs: number[] = []
  readonly #blockedUntilMs = new Map<string, number>()

  constructor(allowance: Allowance) {
    this.#allowance = allowance
  }

  /** Seconds to wait; 0 when the request may pass. */
  take(endpoint: string, nowMs: number): number {
    const blockedMs = (this.#blockedUntilMs.get(endpoint) ?? 0) - nowMs
    if (blockedMs > 0) return Math.ceil(blockedMs / 1_000)
    const { requests, withinMs } = this.#allowance
    const first = this.#takenAtMs.findIndex((atMs) => atMs > nowMs - withinMs)
    this.#takenAtMs = first === -1 ? [] : this.#takenAtMs.slice(first)
    if (this.#takenAtMs.length < requests) {
      this.#takenAtMs.push(nowMs)
      return 0
    }
    const waitS = Math.ceil(((this.#takenAtMs[0] ?? nowMs) + withinMs - nowMs) / 1_000)
    this.block(endpoint, nowMs, waitS)
    return waitS
  }

  block(endpoint: string, nowMs: number, seconds: number): void {
    this.#blockedUntilMs.set(endpoint, nowMs + seconds * 1_000)
  }
}
