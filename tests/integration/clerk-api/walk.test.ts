import { expect, test } from 'vitest'
import { clientOf, EPOCH_MS, idOf, idsOf, nth, openClerkPair, putMany } from '../../support/clerk-stand-in.js'
import { collect } from '../../support/until.js'

test('users come oldest first in pages of 500, letter by letter as Clerk sent them', async () => {
  await using pair = await openClerkPair()
  const { clerk, api } = pair
  putMany(clerk, 'user', 1_200)
  const odd = `{ "id":"user_odd", "created_at":${EPOCH_MS + 5_000_000}, "updated_at" : 5, "big":12345678901234567890, "big":1e400 }`
  clerk.put('user', odd)

  const pages = await collect(api.walk('user'))

  expect(pages.map(({ objects }) => objects.length)).toEqual([500, 500, 201, 0])
  expect(pages.map(({ isLast }) => isLast)).toEqual([false, false, false, true])
  expect(idsOf(pages)).toEqual(clerk.ids('user'))
  expect(pages.at(-2)?.objects.at(-1)).toEqual({
    ...{ id: 'user_odd', createdAtMs: EPOCH_MS + 5_000_000, updatedAtMs: 5, text: odd },
  })
  const lists = clerk.requests.filter(({ endpoint }) => endpoint === '/users')
  expect(lists.map(({ path }) => new URL(path, clerk.url).searchParams.get('limit'))).toEqual([
    '500',
    '500',
    '500',
    '500',
  ])
})

test.each([
  'organization',
  'organizationMembership',
  'organizationInvitation',
  'organizationDomain',
  'role',
  'permission',
  'waitlistEntry',
] as const)('every %s comes once, with the total beside it', async (kind) => {
  await using pair = await openClerkPair()
  putMany(pair.clerk, kind, 1_100)
  const pages = await collect(pair.api.walk(kind))
  expect(idsOf(pages)).toEqual(pair.clerk.ids(kind))
  expect(pages.map(({ total }) => total)).toEqual([1_100, 1_100, 1_100])
  expect(pages.at(-1)).toMatchObject({ isLast: true })
})

test.each(['user', 'organization'] as const)('a list without any %s is one empty last page', async (kind) => {
  await using pair = await openClerkPair()
  const pages = await collect(pair.api.walk(kind))
  expect(pages).toMatchObject([{ objects: [], isLast: true }])
})

test.each(['user', 'organizationMembership'] as const)(
  'a walk of %s goes on from a position that went through JSON, in another client',
  async (kind) => {
    await using pair = await openClerkPair()
    putMany(pair.clerk, kind, 1_300)
    const first = await pair.api.walk(kind).next()
    const after = JSON.parse(JSON.stringify(first.value.position))
    await using other = clientOf(pair.clerk)
    const rest = await collect(other.walk(kind, { after }))
    expect([...idsOf([first.value]), ...idsOf(rest)]).toEqual(pair.clerk.ids(kind))
    expect(rest.at(-1)?.position).toMatchObject({ read: 1_300 })
  },
)

test('a position is refused by a walk of another kind or window', async () => {
  await using pair = await openClerkPair()
  putMany(pair.clerk, 'user', 10)
  const [page] = await collect(pair.api.walk('user'))
  expect(() => pair.api.walk('organization', { after: page?.position })).toThrow(RangeError)
  expect(() => pair.api.walk('user', { after: page?.position, window: { fromMs: 5 } })).toThrow(RangeError)
  expect(() => pair.api.walk('organization', { window: { fromMs: 5 } })).toThrow(RangeError)
})

test.each([false, true])(
  'a window has its first millisecond and not its last, borders at Clerk included: %s',
  async (includesBorders) => {
    await using pair = await openClerkPair()
    const { clerk, api } = pair
    clerk.behaviour.includesBorders = includesBorders
    putMany(clerk, 'user', 1_500)
    const window = { fromMs: EPOCH_MS + 100_000, toMs: EPOCH_MS + 900_000 }
    const pages = await collect(api.walk('user', { window }))
    expect(idsOf(pages)).toEqual(clerk.ids('user').slice(100, 900))
  },
)

test('users that Clerk deletes between two pages, the cursor among them, hide no other', async () => {
  await using pair = await openClerkPair()
  const { clerk, api } = pair
  putMany(clerk, 'user', 1_500)
  clerk.afterPage = () => {
    clerk.delete('user', idOf('user', 499))
    clerk.delete('user', idOf('user', 498))
  }
  const pages = await collect(api.walk('user'))
  expect(idsOf(pages)).toEqual(expect.arrayContaining(clerk.ids('user')))
  expect(idsOf(pages)).toHaveLength(1_500)
})

test.each(['refused', 'empty', 'restarted'] as const)(
  'a walk whose last cursors are all deleted goes on by time, when Clerk answers with %s',
  async (lostCursor) => {
    await using pair = await openClerkPair()
    const { clerk, api } = pair
    clerk.behaviour.lostCursor = lostCursor
    putMany(clerk, 'user', 1_500)
    let pagesRead = 0
    clerk.afterPage = () => {
      pagesRead += 1
      if (pagesRead === 1) for (let n = 480; n < 500; n += 1) clerk.delete('user', idOf('user', n))
    }
    const pages = await collect(api.walk('user'))
    expect(new Set(idsOf(pages)).size).toBe(idsOf(pages).length)
    expect(idsOf(pages)).toEqual(expect.arrayContaining(clerk.ids('user')))
    expect(idsOf(pages)).toHaveLength(1_500)
  },
)

test('users of one millisecond are all read when the cursor among them is gone', async () => {
  await using pair = await openClerkPair()
  const { clerk, api } = pair
  putMany(clerk, 'user', 480)
  const together = { created_at: EPOCH_MS + 480_000 }
  for (let n = 480; n < 530; n += 1) clerk.put('user', nth('user', n, together))
  putMany(clerk, 'user', 100, 530)
  clerk.afterPage = () => {
    for (let n = 497; n < 500; n += 1) clerk.delete('user', idOf('user', n))
  }
  const pages = await collect(api.walk('user'))
  expect(idsOf(pages)).toHaveLength(630)
  expect(idsOf(pages)).toEqual(expect.arrayContaining(clerk.ids('user')))
})

test.each([10, 49, 60, 450, 900])(
  '%i objects deleted before the offset between two pages hide no other',
  async (deleted) => {
    await using pair = await openClerkPair()
    const { clerk, api } = pair
    putMany(clerk, 'organization', 3_000)
    let pagesRead = 0
    clerk.afterPage = () => {
      pagesRead += 1
      if (pagesRead === 3) for (let n = 0; n < deleted; n += 1) clerk.delete('organization', idOf('organization', n))
    }
    const pages = await collect(api.walk('organization'))
    expect(idsOf(pages)).toHaveLength(3_000)
    expect(new Set(idsOf(pages)).size).toBe(3_000)
    expect(pages.at(-1)).toMatchObject({ isLast: true, total: 3_000 - deleted })
  },
)

test('the rows of a whole page deleted between two pages hide no other', async () => {
  await using pair = await openClerkPair()
  const { clerk, api } = pair
  putMany(clerk, 'role', 1_400)
  let pagesRead = 0
  clerk.afterPage = () => {
    pagesRead += 1
    if (pagesRead === 1) for (let n = 0; n < 500; n += 1) clerk.delete('role', idOf('role', n))
  }
  expect(idsOf(await collect(api.walk('role')))).toHaveLength(1_400)
})

test.each(['user', 'organization'] as const)(
  'what is created while a walk of %s goes on does not end it early',
  async (kind) => {
    await using pair = await openClerkPair()
    const { clerk, api } = pair
    putMany(clerk, kind, 1_000)
    let created = 0
    clerk.afterPage = () => {
      created += 1
      clerk.put(kind, nth(kind, 2_000 + created))
    }
    const ids = idsOf(await collect(api.walk(kind)))
    expect(ids).toEqual(expect.arrayContaining(clerk.ids(kind).slice(0, 1_000)))
    expect(new Set(ids).size).toBe(ids.length)
  },
)

test.each(['user', 'organization'] as const)(
  'a lower largest limit at Clerk costs requests, and no %s',
  async (kind) => {
    await using pair = await openClerkPair()
    pair.clerk.behaviour.limitMax = 100
    putMany(pair.clerk, kind, 55)
    expect(idsOf(await collect(pair.api.walk(kind)))).toEqual(pair.clerk.ids(kind))
  },
)

test('counts are for all users, for those of a window, and for other kinds', async () => {
  await using pair = await openClerkPair()
  putMany(pair.clerk, 'user', 30)
  putMany(pair.clerk, 'organization', 7)
  expect(await pair.api.count('user')).toBe(30)
  expect(await pair.api.count('user', { fromMs: EPOCH_MS + 9_500, toMs: EPOCH_MS + 19_500 })).toBe(10)
  expect(await pair.api.count('organization')).toBe(7)
  await expect(pair.api.count('organization', { fromMs: 1 })).rejects.toThrow(RangeError)
})

test('the newest users come last changed first', async () => {
  await using pair = await openClerkPair()
  const { clerk, api } = pair
  putMany(clerk, 'user', 1_200)
  clerk.put('user', nth('user', 3, { updated_at: EPOCH_MS * 2 }))
  const ids = (await collect(api.newestUsers(700))).flat().map(({ id }) => id)
  expect(ids).toEqual([3, ...Array.from({ length: 699 }, (_, at) => 1_199 - at)].map((n) => idOf('user', n)))
  expect((await collect(api.newestUsers(5_000))).flat()).toHaveLength(1_200)
})
