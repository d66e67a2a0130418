import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

/** A program of the benchmarks in a process of its own, which answers each message with one message. */
export class Child implements AsyncDisposable {
  readonly #process: ChildProcess

  private constructor(child: ChildProcess) {
    this.#process = child
  }

  /** `script` is a path below bench/. Returns when the program says that it is ready. */
  static async start(script: string): Promise<Child> {
    const child = new Child(fork(join(import.meta.dirname, script), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] }))
    await child.#heard()
    return child
  }

  get pid(): number {
    return this.#process.pid ?? 0
  }

  /** @throws with the words of the program when it failed, or when it is gone. */
  async ask<Answer>(order: object): Promise<Answer> {
    const answer = this.#heard()
    this.#process.send(order)
    const { result, fault } = (await answer) as { result?: Answer; fault?: string }
    if (fault !== undefined) throw new Error(fault)
    return result as Answer
  }

  /** Freezes it: requests wait until it is thawed. */
  freeze(): void {
    this.#process.kill('SIGSTOP')
  }

  thaw(): void {
    this.#process.kill('SIGCONT')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const gone = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await gone
  }

  async #heard(): Promise<unknown> {
    const gone = new AbortController()
    const exit = once(this.#process, 'exit', { signal: gone.signal }).then(() => {
      throw new Error('a program of the benchmark ended by itself')
    })
    exit.catch(() => {})
    const [message] = await Promise.race([once(this.#process, 'message', { signal: gone.signal }), exit])
    gone.abort()
    return message
  }
}
