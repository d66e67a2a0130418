import { setTimeout as pause } from 'node:timers/promises'
import type { Operations } from '@clerk-mirror/operations'
import { Refusal } from './errors.js'
import { refusalOf } from './failures.js'
import { READ_MS } from './limits.js'

/**
 * The operations, opened when they are first needed and again after that failed: the console starts, and shows the
 * problem, also while Redis is away.
 */
export type OperationsDoor = AsyncDisposable & {
  /** For pages: answers or refuses within so many milliseconds. @throws Refusal */
  ask: <T>(work: (operations: Operations) => Promise<T>, patienceMs?: number) => Promise<T>
  /** For work without a time limit. @throws Refusal */
  open: () => Promise<Operations>
}

export function operationsDoor(openOperations: () => Promise<Operations>): OperationsDoor {
  let opening: Promise<Operations> | undefined
  const open = () => {
    opening ??= openOperations().catch((error: unknown) => {
      opening = undefined
      throw refusalOf(error)
    })
    return opening
  }
  return {
    open,
    async ask(work, patienceMs = READ_MS) {
      const answered = new AbortController()
      const tooLate = pause(patienceMs, undefined, { signal: answered.signal }).then(() => {
        throw new Refusal('no_answer')
      })
      try {
        return await Promise.race([open().then(work), tooLate])
      } catch (error) {
        throw refusalOf(error)
      } finally {
        tooLate.catch(() => {})
        answered.abort()
      }
    },
    async [Symbol.asyncDispose]() {
      const operations = await opening?.catch(() => undefined)
      await operations?.[Symbol.asyncDispose]()
    },
  }
}
