type Release = () => unknown

/**
 * All resources acquired so far, released in reverse. `await using owned = new Releasers()` in a start function
 * releases it when a later step throws; `owned.move()` at the end hands it to the caller instead.
 */
export class Releasers implements AsyncDisposable {
  #releases: Release[] = []

  /** Takes over a resource and returns it. */
  use<R extends AsyncDisposable | Disposable>(resource: R): R {
    this.defer(() => (Symbol.asyncDispose in resource ? resource[Symbol.asyncDispose]() : resource[Symbol.dispose]()))
    return resource
  }

  /** Adds a step to the release; it may be asynchronous. */
  defer(release: Release): void {
    this.#releases.push(release)
  }

  /** Moves everything owned so far to a new owner; this one is empty afterwards. */
  move(): AsyncDisposable {
    const moved = new Releasers()
    moved.#releases = this.#releases
    this.#releases = []
    return moved
  }

  /**
   * Runs every release, each after the one before has settled, even when some fail; a second call does nothing.
   * @throws the error when one failed, an AggregateError of all when several did.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    const errors: unknown[] = []
    for (let release = this.#releases.pop(); release !== undefined; release = this.#releases.pop()) {
      try {
        await release()
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length === 1) throw errors[0]
    if (errors.length > 1) throw new AggregateError(errors, `${errors.length} resources could not be released`)
  }
}
