import { setTimeout as pause } from 'node:timers/promises'
import type { Failure } from '@clerk-mirror/events'
import { CONTENTION_PAUSE_MS, CONTENTION_TRIES } from '../limits.js'
import { classify } from './failures.js'

/** Retries work that lost a lock to another transaction, after a random pause, unless `isFinal`. @throws Failure */
export async function throughContention<T>(
  work: () => Promise<T>,
  random: () => number,
  isFinal: (failure: Failure) => boolean = () => false,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work()
    } catch (error) {
      const failure = classify(error)
      if (failure.class !== 'contention' || attempt === CONTENTION_TRIES || isFinal(failure)) throw failure
      await pause(random() * CONTENTION_PAUSE_MS * 2 ** attempt)
    }
  }
}
