import { inspect } from 'node:util'

const SHOWN = '[secret]'

/**
 * A value that never shows in a log line, a template, JSON or `inspect`, however deep in an object it is. The private
 * field hides it from spreads, `Object.entries` and serialisers that ignore `toJSON`.
 */
export class Secret<T = string> {
  readonly #value: T

  constructor(value: T) {
    this.#value = value
  }

  reveal(): T {
    return this.#value
  }

  toString(): string {
    return SHOWN
  }

  toJSON(): string {
    return SHOWN
  }

  [inspect.custom](): string {
    return SHOWN
  }
}
