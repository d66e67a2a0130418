import { type ClerkApi, ClerkApiError, type Position } from '@clerk-mirror/clerk-api'
import type { ClerkStandIn } from '@clerk-mirror/devstack'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nth, openClerkPair, putMany } from '../../support/clerk-stand-in.js'

type World = {
  seed: number
  kind: 'user' | 'organization'
  size: number
  lostCursor: 'refused' | 'empty' | 'restarted'
  includesBorders: boolean
  /** Deleted, created and changed between two pages. */
  deleted: number
  created: number
  changed: number
  /** Whether deletes meet the objects that were given last. */
  deletesRecent: boolean
  faults: { throttledBare: number; failed: number; reset: number; truncated: number; shifted: number }
  lagMs: number
  /** The page before which Clerk goes away until the walk has failed; none when it is beyond the end. */
  outageAtPage: number
}

const chance = fc.double({ min: 0, max: 0.15, noNaN: true })

const world: fc.Arbitrary<World> = fc.record({
  seed: fc.integer({ min: 0 }),
  kind: fc.constantFrom('user', 'organization'),
  size: fc.integer({ min: 0, max: 2_600 }),
  lostCursor: fc.constantFrom('refused', 'empty', 'restarted'),
  includesBorders: fc.boolean(),
  deleted: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 600 })),
  created: fc.integer({ min: 0, max: 30 }),
  changed: fc.integer({ min: 0, max: 30 }),
  deletesRecent: fc.boolean(),
  faults: fc.record({ throttledBare: chance, failed: chance, reset: chance, truncated: chance, shifted: chance }),
  lagMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 30 })),
  outageAtPage: fc.integer({ min: 0, max: 12 }),
})

// A counterexample is a whole history: smaller numbers make it no clearer, and each takes a second.
const PROPERTY = { numRuns: 60, endOnFailure: true }
const PATIENCE_MS = 240_000

test(
  'under faults and changes, a walk gives all that lived throughout, and never ends as done when it was cut short',
  async () => {
    await fc.assert(fc.asyncProperty(world, holds), PROPERTY)
  },
  PATIENCE_MS,
)

async function holds(options: World): Promise<void> {
  const { kind, size } = options
  await using pair = await openClerkPair(
    { retryPolicy: { tries: 25, throttledTries: 50, retryMaxMs: 5 } },
    { seed: options.seed },
  )
  const { clerk, api } = pair
  putMany(clerk, kind, size)
  Object.assign(clerk.faults, options.faults)
  Object.assign(clerk.behaviour, { lostCursor: options.lostCursor, includesBorders: options.includesBorders })
  clerk.lagMs = options.lagMs
  const given = await walkThrough(api, clerk, options)
  const lived = clerk.ids(kind).filter((id) => id < `${kind}_1`)
  expect(given).toEqual(expect.arrayContaining(lived))
  expect(new Set(given).size).toBe(given.length)
}

/** Walks to the end, and goes on after an outage where the walk had come to. */
async function walkThrough(api: ClerkApi, clerk: ClerkStandIn, options: World): Promise<string[]> {
  const given: string[] = []
  let position: Position | undefined
  let pages = 0
  for (;;) {
    let isDone = false
    try {
      for await (const page of api.walk(options.kind, { after: position })) {
        expect(isDone).toBe(false)
        given.push(...page.objects.map(({ id }) => id))
        position = JSON.parse(JSON.stringify(page.position))
        isDone = page.isLast
        pages += 1
        clerk.isDown = pages === options.outageAtPage
        if (!isDone) change(clerk, given, pages, options)
      }
      expect(isDone).toBe(true)
      return given
    } catch (error) {
      expect(error).toBeInstanceOf(ClerkApiError)
      expect({ isDown: clerk.isDown, isDone }).toEqual({ isDown: true, isDone: false })
      clerk.isDown = false
      pages += 1
    }
  }
}

function change(clerk: ClerkStandIn, given: readonly string[], pages: number, options: World): void {
  const { kind, deleted, created, changed, deletesRecent, seed } = options
  const ids = clerk.ids(kind)
  const at = (n: number) => ids[(n * 7_919 + seed) % Math.max(1, ids.length)] ?? ''
  const recent = given.slice(-Math.ceil(deleted / 2))
  for (let n = 0; n < deleted; n += 1) clerk.delete(kind, (deletesRecent ? recent[n] : undefined) ?? at(n))
  for (let n = 0; n < created; n += 1) {
    const time = { created_at: Date.now(), updated_at: Date.now() }
    clerk.put(kind, nth(kind, 1_000_000 + pages * 1_000 + n, time))
  }
  for (let n = 0; n < changed; n += 1) {
    const text = clerk.get(kind, at(deleted + n))
    if (text) clerk.put(kind, { ...JSON.parse(text), updated_at: Date.now() })
  }
}
