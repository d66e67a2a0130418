import { expect, test } from 'vitest'
import { MUTANTS } from '../chaos/mutants/mutants.js'
import { exists, read } from './tree.js'

test('the build has the place that each deliberate fault changes', () => {
  const lost = MUTANTS.filter(({ file, find }) => !exists(file) || !read(file).includes(find))
  expect(lost.map(({ name, file }) => `${name} in ${file}`)).toEqual([])
})
