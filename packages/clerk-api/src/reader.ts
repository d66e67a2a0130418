import { setTimeout as wait } from 'node:timers/promises'
import { ClerkApiError } from './clerk-api-error.js'
import { PAGE_OBJECTS } from './limits.js'
import { type ListAnswer, parseCount, parseList } from './listing.js'
import type { ApiAnswer, Requester } from './requester.js'
import type { ApiObject } from './walk.js'

/** A list is a parameter that is repeated. */
export type Query = Readonly<Record<string, string | number | readonly string[] | undefined>>

export type ReadPage = ListAnswer & {
  /** Clerk's clock. */
  dateMs: number
  /** Whether as many came as were asked for, so that more may follow. */
  isFull: boolean
}

/** Reads lists with any paging. */
export class Reader {
  readonly #requester: Requester
  readonly #signal: AbortSignal
  /** Smaller once a page did not fit into an answer. */
  #limit = PAGE_OBJECTS

  constructor(requester: Requester, signal: AbortSignal) {
    this.#requester = requester
    this.#signal = signal
  }

  /** A page of at most 500; undefined when the path's parent is absent. @throws ClerkApiError */
  async page(path: string, query: Query, endpoint = path): Promise<ReadPage | undefined> {
    for (;;) {
      const limit = this.#limit
      const answer = await this.#get(endpoint, `${path}?${queryText({ ...query, limit })}`, parseList)
      if (answer.kind === 'absent') return undefined
      if (answer.kind === 'value') {
        const { value, dateMs } = answer
        return { ...value, dateMs, isFull: value.objects.length >= limit }
      }
      if (limit === 1) throw new ClerkApiError('clerk_api_refused', `one object of ${endpoint} is larger than is read`)
      this.#limit = Math.ceil(limit / 2)
    }
  }

  /** @throws ClerkApiError */
  async count(path: string, query: Query): Promise<number> {
    const answer = await this.#get(path, `${path}?${queryText(query)}`, parseCount)
    if (answer.kind === 'value') return answer.value
    throw new ClerkApiError('clerk_api_refused', `Clerk's API has no count at ${path}`)
  }

  /** Before the same question again. @throws the signal's reason */
  pause(ms: number): Promise<void> {
    return wait(ms, undefined, { signal: this.#signal })
  }

  #get<T>(endpoint: string, path: string, parse: (text: string) => T): Promise<ApiAnswer<T>> {
    return this.#requester.get({ endpoint, path, parse, signal: this.#signal })
  }
}

/** Without the parameters that are undefined. */
function queryText(query: Query): string {
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    for (const each of [value ?? []].flat()) params.append(name, String(each))
  }
  return params.toString()
}

/** @throws ClerkApiError when a list is not in the order in which it was asked for: a walk would skip objects. */
export function demandOldestFirst(endpoint: string, objects: readonly ApiObject[]): void {
  const isSorted = objects.every(({ createdAtMs }, at) => createdAtMs >= (objects[at - 1]?.createdAtMs ?? 0))
  if (!isSorted) throw inconsistent(endpoint, 'the list is not in the order of creation')
}

export const inconsistent = (endpoint: string, message: string): ClerkApiError =>
  new ClerkApiError('clerk_api_inconsistent', `Clerk's API contradicts itself at ${endpoint}: ${message}`)
