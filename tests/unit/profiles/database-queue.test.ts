import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { DatabaseQueue } from '../../../apps/profiles/src/database-queue.js'

const WAIT_MS = 1000

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A queue for one turn at a time, and the list of begun turns; `end` ends the oldest. */
function open(waitingMax = 10) {
  const queue = new DatabaseQueue({ turns: 1, waitingMax, waitMs: WAIT_MS })
  const begun: string[] = []
  const ends: (() => void)[] = []
  const ask = (name: string, address: string, hasLeft = () => false) => {
    const asked = queue.run({ address, hasLeft }, async () => {
      begun.push(name)
      await new Promise<void>((resolve) => ends.push(resolve))
      return name
    })
    asked.catch(() => {})
    return asked
  }
  const end = async () => {
    ends.shift()?.()
    await vi.advanceTimersByTimeAsync(0)
  }
  return { queue, begun, ask, end }
}

describe('the queue before the database', () => {
  test('lets addresses take turns, however many requests of one of them wait', async () => {
    const { queue, begun, ask, end } = open()
    for (const name of ['a1', 'a2', 'a3', 'a4']) ask(name, '192.0.2.1')
    ask('b1', '192.0.2.2')
    ask('c1', '2001:db8::1')
    ask('c2', '2001:db8::2') // the same network
    expect(queue.waiting).toBe(6)
    for (let count = 0; count < 7; count += 1) await end()
    expect(begun).toEqual(['a1', 'a2', 'b1', 'c1', 'a3', 'c2', 'a4'])
    expect(queue.waiting).toBe(0)
  })

  test('refuses the newest of the address that has the most when it is full, and nobody else', async () => {
    const { begun, ask, end } = open(3)
    ask('a1', '192.0.2.1')
    const [a2, a3, a4] = ['a2', 'a3', 'a4'].map((name) => ask(name, '192.0.2.1'))
    const b1 = ask('b1', '192.0.2.2')
    await expect(a4).rejects.toMatchObject({ code: 'overloaded' })
    for (let count = 0; count < 4; count += 1) await end()
    expect(await Promise.all([a2, a3, b1])).toEqual(['a2', 'a3', 'b1'])
    expect(begun).not.toContain('a4')
  })

  test('refuses what has waited too long', async () => {
    const { queue, begun, ask, end } = open()
    ask('a1', '192.0.2.1')
    const a2 = ask('a2', '192.0.2.1')
    await vi.advanceTimersByTimeAsync(WAIT_MS)
    await expect(a2).rejects.toMatchObject({ code: 'overloaded' })
    expect(queue.waiting).toBe(0)
    await end()
    const a3 = ask('a3', '192.0.2.1')
    await end()
    expect([await a3, begun]).toEqual(['a3', ['a1', 'a3']])
  })

  test('begins nothing for a client that has gone away', async () => {
    const { begun, ask, end } = open()
    ask('a1', '192.0.2.1')
    const gone = ask('gone', '192.0.2.2', () => true)
    const b1 = ask('b1', '192.0.2.3')
    await end()
    await end()
    await expect(gone).rejects.toMatchObject({ code: 'overloaded' })
    expect([await b1, begun]).toEqual(['b1', ['a1', 'b1']])
  })

  test('goes on after work that fails', async () => {
    const queue = new DatabaseQueue({ turns: 1, waitingMax: 10, waitMs: WAIT_MS })
    const requester = { address: '192.0.2.1', hasLeft: () => false }
    const failed = queue.run(requester, () => Promise.reject(new Error('gone')))
    const next = queue.run(requester, async () => 'done')
    await expect(failed).rejects.toThrow('gone')
    expect(await next).toBe('done')
  })
})
