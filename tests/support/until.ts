/** Long enough for a machine that is ten times slower than a quiet one: a test that passes never waits so long. */
export const PATIENCE_MS = 90_000

/** Waits until it is true; throws when it does not become true in time. Errors count as "not yet". */
export async function until(condition: () => boolean | Promise<boolean>, patienceMs = PATIENCE_MS): Promise<void> {
  const deadline = Date.now() + patienceMs
  for (;;) {
    const isLast = Date.now() > deadline
    try {
      if (await condition()) return
    } catch (error) {
      if (isLast) throw error
    }
    if (isLast) throw new Error(`did not become true within ${patienceMs} ms: ${condition}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** A gate in a story: code that awaits `opened` goes on when the test opens it. */
export function latch(): { opened: Promise<void>; open: () => void } {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
