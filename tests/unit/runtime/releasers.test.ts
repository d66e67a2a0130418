import { Releasers } from '@clerk-mirror/runtime'
import { expect, test } from 'vitest'

/** Resources that write their release into a list, each only after a turn of the event loop. */
function opened() {
  const released: string[] = []
  const open = (name: string): AsyncDisposable => ({
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => setImmediate(resolve))
      released.push(name)
    },
  })
  return { released, open }
}

test('what was acquired last is released first, one after the other', async () => {
  const { released, open } = opened()
  const owned = new Releasers()
  owned.use(open('redis'))
  owned.defer(() => void released.push('drain'))
  owned.use({ [Symbol.dispose]: () => void released.push('timer') })
  owned.use(open('server'))
  await owned[Symbol.asyncDispose]()
  expect(released).toEqual(['server', 'timer', 'drain', 'redis'])
})

test('a start that fails half-way releases what it had acquired', async () => {
  const { released, open } = opened()
  async function start(): Promise<AsyncDisposable> {
    await using owned = new Releasers()
    owned.use(open('redis'))
    owned.use(open('mysql'))
    throw new Error('port taken')
  }
  await expect(start()).rejects.toThrow('port taken')
  expect(released).toEqual(['mysql', 'redis'])
})

test('a start that succeeds hands over what it acquired, unreleased', async () => {
  const { released, open } = opened()
  async function start(): Promise<AsyncDisposable> {
    await using owned = new Releasers()
    owned.use(open('redis'))
    return owned.move()
  }
  const running = await start()
  expect(released).toEqual([])
  await running[Symbol.asyncDispose]()
  await running[Symbol.asyncDispose]()
  expect(released).toEqual(['redis'])
})

test('one release that fails does not keep the others from running', async () => {
  const { released, open } = opened()
  const owned = new Releasers()
  owned.use(open('redis'))
  owned.defer(() => Promise.reject(new Error('drain failed')))
  owned.use(open('server'))
  await expect(owned[Symbol.asyncDispose]()).rejects.toThrow('drain failed')
  expect(released).toEqual(['server', 'redis'])
})

test('all releases that fail are in the error', async () => {
  const owned = new Releasers()
  owned.defer(() => Promise.reject(new Error('second')))
  owned.defer(() => {
    throw new Error('first')
  })
  const error: unknown = await owned[Symbol.asyncDispose]().catch((caught: unknown) => caught)
  expect(error).toBeInstanceOf(AggregateError)
  expect(error).toMatchObject({ errors: [{ message: 'first' }, { message: 'second' }] })
})
