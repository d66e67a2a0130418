import type { StandInObject } from './kinds.js'

/** The objects of one kind, in the order of their creation. */
export class ObjectList {
  #sorted: StandInObject[] = []
  readonly #byId = new Map<string, StandInObject>()
  #byUpdate: StandInObject[] | undefined

  get size(): number {
    return this.#byId.size
  }

  get(id: string): StandInObject | undefined {
    return this.#byId.get(id)
  }

  /** Oldest first. */
  all(): readonly StandInObject[] {
    return this.#sorted
  }

  /** Last changed first. */
  byUpdate(): readonly StandInObject[] {
    this.#byUpdate ??= this.#sorted.toSorted((a, b) => b.updatedAtMs - a.updatedAtMs)
    return this.#byUpdate
  }

  put(object: StandInObject): void {
    const held = this.#byId.get(object.id)
    this.#byUpdate = undefined
    this.#byId.set(object.id, object)
    if (held !== undefined && compare(held, object) === 0) {
      this.#sorted[this.placeOf(held)] = object
      return
    }
    if (held !== undefined) this.#sorted.splice(this.placeOf(held), 1)
    const last = this.#sorted.at(-1)
    if (last === undefined || compare(last, object) < 0) this.#sorted.push(object)
    else this.#sorted.splice(this.placeOf(object), 0, object)
  }

  delete(id: string): void {
    const held = this.#byId.get(id)
    if (held === undefined) return
    this.#byUpdate = undefined
    this.#byId.delete(id)
    this.#sorted.splice(this.placeOf(held), 1)
  }

  /** Where an object is, or would be. */
  placeOf(object: Place): number {
    let low = 0
    let high = this.#sorted.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const at = this.#sorted[middle]
      if (at !== undefined && compare(at, object) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The objects created within a time, borders included or not. */
  createdWithin(afterMs: number | undefined, beforeMs: number | undefined, isInclusive: boolean): StandInObject[] {
    const edge = isInclusive ? 1 : 0
    const from = afterMs === undefined ? 0 : this.placeOf({ createdAtMs: afterMs + 1 - edge, id: '' })
    const to = beforeMs === undefined ? this.size : this.placeOf({ createdAtMs: beforeMs + edge, id: '' })
    return this.#sorted.slice(from, Math.max(from, to))
  }
}

type Place = Pick<StandInObject, 'createdAtMs' | 'id'>

const compare = (a: Place, b: Place) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
