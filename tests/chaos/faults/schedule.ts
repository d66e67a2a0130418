import { type Random, seededRandom } from '../../../packages/devstack/src/random.js'
import type { Fault } from '../stage/scene.js'

/** Odd and large, so that neighbouring seeds have nothing in common. */
const STRIDE = 1_000_003

/** The n-th fault of a seed, and its own source of chance. Every kind comes once before any comes again. */
export function faultAt(kinds: readonly Fault[], seed: number, index: number): { fault: Fault; random: Random } {
  const deck = Math.floor(index / kinds.length)
  const fault = seededRandom(seed * STRIDE + deck).shuffled(kinds)[index % kinds.length]
  if (!fault) throw new Error('a schedule needs faults')
  return { fault, random: seededRandom((seed + 1) * STRIDE + index) }
}
