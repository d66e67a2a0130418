import { randomBytes } from 'node:crypto'
import type { DiscardResult, Operations, ReplayResult } from '@clerk-mirror/operations'
import type { Log } from '@clerk-mirror/runtime'
import { deadLettersOf, type FilterText, filterOf } from './dead-letter-filter.js'
import type { Refusal } from './errors.js'
import { refusalOf } from './failures.js'
import { REPLAY_PER_S, RUNS_KEPT } from './limits.js'

export type Verb = 'replay' | 'discard'

export type RunState =
  | { kind: 'running' }
  | { kind: 'done'; matched: number; changed: number; skipped: number }
  | { kind: 'stopped' }
  | { kind: 'failed'; refusal: Refusal }

/** A replay or discard that was started from a page and goes on without it. */
export type Run = {
  id: string
  verb: Verb
  filterText: FilterText
  actor: string
  beganAtMs: number
  done: number
  of: number
  state: RunState
  stop: () => void
}

/** The bulk actions of this process, the finished ones too as long as there is room. Disposing stops them all. */
export class Runs implements AsyncDisposable {
  readonly #open: () => Promise<Operations>
  readonly #log: Log
  readonly #runs = new Map<string, Run>()
  readonly #working = new Set<Promise<void>>()

  constructor(open: () => Promise<Operations>, log: Log) {
    this.#open = open
    this.#log = log
  }

  find(id: string): Run | undefined {
    return this.#runs.get(id)
  }

  begin(verb: Verb, filterText: FilterText, actor: string, nowMs: number): Run {
    const abort = new AbortController()
    const id = randomBytes(9).toString('base64url')
    const stop = () => abort.abort()
    const run: Run = { id, verb, filterText, actor, beganAtMs: nowMs, done: 0, of: 0, state: { kind: 'running' }, stop }
    this.#forgetOldest()
    this.#runs.set(id, run)
    const working = this.#work(run, abort.signal).finally(() => this.#working.delete(working))
    this.#working.add(working)
    return run
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const run of this.#runs.values()) run.stop()
    await Promise.all(this.#working)
  }

  async #work(run: Run, signal: AbortSignal): Promise<void> {
    const { verb, filterText, actor } = run
    const filter = filterOf(filterText)
    this.#log.info({ event: 'console.run_began', runId: run.id, verb, actor })
    const onProgress = (done: number, of: number) => void Object.assign(run, { done, of })
    try {
      const deadLetters = deadLettersOf(filterText, await this.#open())
      const options = { actor, signal, onProgress }
      const result: ReplayResult | DiscardResult =
        verb === 'replay'
          ? await deadLetters.replay(filter, { ...options, ratePerS: REPLAY_PER_S })
          : await deadLetters.discard(filter, options)
      const changed = 'replayed' in result ? result.replayed : result.discarded
      const { matched, skipped } = result
      run.state = signal.aborted ? { kind: 'stopped' } : { kind: 'done', matched, changed, skipped }
    } catch (error) {
      run.state = signal.aborted ? { kind: 'stopped' } : { kind: 'failed', refusal: refusalOf(error) }
      if (run.state.kind === 'failed') this.#log.error({ event: 'console.run_failed', runId: run.id, err: error })
    }
    this.#log.info({ event: 'console.run_ended', runId: run.id, outcome: run.state.kind })
  }

  #forgetOldest(): void {
    const finished = [...this.#runs.values()].filter(({ state }) => state.kind !== 'running')
    for (const { id } of finished.slice(0, Math.max(0, finished.length - RUNS_KEPT + 1))) this.#runs.delete(id)
  }
}
