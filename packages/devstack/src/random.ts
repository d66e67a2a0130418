/** A random source that is the same on every machine for the same seed. */
export interface Random {
  /** 0 ≤ x < 1 */
  fraction(): number
  /** A whole number from low to high, both included. */
  integer(low: number, high: number): number
  chance(share: number): boolean
  pick<T>(choices: readonly [T, ...T[]]): T
  /** The body of a KSUID, which Clerk and Svix append to their prefixes. */
  base62(length: number): string
  shuffled<T>(items: readonly T[]): T[]
}

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const WARM_UP_ROUNDS = 16

export function seededRandom(seed: number): Random {
  const fraction = sfc32(seed)
  const integer = (low: number, high: number) => low + Math.floor(fraction() * (high - low + 1))
  return {
    fraction,
    integer,
    chance: (share) => fraction() < share,
    pick: (choices) => choices[integer(0, choices.length - 1)] ?? choices[0],
    base62: (length) => Array.from({ length }, () => BASE62.charAt(integer(0, 61))).join(''),
    shuffled(items) {
      const keyed = items.map((item) => ({ item, key: fraction() }))
      return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item)
    },
  }
}

/**
 * sfc32 and not a 32-bit generator: two runs with different seeds send into the same tables, and with 32 bits of
 * state their streams overlap often enough that one day the same event id would carry two different bodies.
 */
function sfc32(seed: number): () => number {
  let a = seed >>> 0
  let b = Math.floor(seed / 2 ** 32) >>> 0
  let c = 0x9e3779b9
  let counter = 1
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return (sum >>> 0) / 2 ** 32
  }
  for (let round = 0; round < WARM_UP_ROUNDS; round += 1) next()
  return next
}
