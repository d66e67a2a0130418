import { expect, test } from 'vitest'
import { ALL_FAULTS } from '../../chaos/faults/faults.js'
import { faultAt } from '../../chaos/faults/schedule.js'
import { MUTANTS } from '../../chaos/mutants/mutants.js'
import { readOptions } from '../../chaos/options.js'

const namesOf = (seed: number, from: number, count: number) =>
  Array.from({ length: count }, (_, index) => faultAt(ALL_FAULTS, seed, from + index).fault.name)

test('each kind of fault comes once before any comes again, in an order that the seed decides', () => {
  const all = ALL_FAULTS.map(({ name }) => name).sort()
  expect(namesOf(1, 0, all.length).sort()).toEqual(all)
  expect(namesOf(1, all.length, all.length).sort()).toEqual(all)
  expect(namesOf(1, 0, 20)).toEqual(namesOf(1, 0, 20))
  expect(namesOf(1, 0, 20)).not.toEqual(namesOf(2, 0, 20))
})

test('a fault has parameters of its own wherever its schedule is entered', () => {
  const fraction = (index: number) => faultAt(ALL_FAULTS, 1, index).random.fraction()
  expect(fraction(5)).toBe(fraction(5))
  expect(fraction(5)).not.toBe(fraction(6))
})

test('every deliberate fault has faults that are aimed at it', () => {
  const idle = MUTANTS.filter(({ only }) => !ALL_FAULTS.some(({ name }) => only.test(name)))
  expect(idle.map(({ name }) => name)).toEqual([])
})

test('options that cannot be read are named', () => {
  expect(readOptions(['--minutes', '30'], '7')).toMatchObject({ mode: 'run', minutes: 30, seed: 7 })
  expect(readOptions(['--mutant', 'all'], undefined)).toEqual({ mode: 'mutants', name: 'all', seed: null })
  expect(() => readOptions(['--minutes', '-1'], undefined)).toThrow('--minutes')
  expect(() => readOptions(['--seed', 'x'], undefined)).toThrow('seed')
})
