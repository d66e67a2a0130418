import { singleFlight } from '@clerk-mirror/runtime'
import { expect, test } from 'vitest'
import { latch } from '../../support/until.js'

test('calls that arrive while one is in flight share its result, and later ones get another', async () => {
  let runs = 0
  const answer = latch()
  const ask = singleFlight(async (name: string) => {
    runs += 1
    await answer.opened
    throw new Error(`${name} ${runs}`)
  })
  const first = [ask('one'), ask('two')].map((each) => each.catch(String))
  answer.open()
  expect(await Promise.all(first)).toEqual(['Error: one 1', 'Error: one 1'])
  await expect(ask('three')).rejects.toThrow('three 2')
})
