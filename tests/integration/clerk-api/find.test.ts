import { expect, test } from 'vitest'
import { apiErrorOf, idOf, nth, openClerkPair, putMany } from '../../support/clerk-stand-in.js'

test.each(['user', 'organization', 'role', 'permission', 'waitlistEntry'] as const)(
  'a %s is found by its id, and absent when Clerk says so',
  async (kind) => {
    await using pair = await openClerkPair()
    const { clerk, api } = pair
    putMany(clerk, kind, 3)
    const id = idOf(kind, 1)
    expect(await api.find(kind, { id })).toMatchObject({ id, text: clerk.get(kind, id) })
    clerk.delete(kind, id)
    expect(await api.find(kind, { id })).toBeUndefined()
  },
)

const MEMBERS = { organization: { id: 'organization_0000001' }, public_user_data: { user_id: 'user_0000007' } }

test('a membership is found in its organization, and absent with its organization too', async () => {
  await using pair = await openClerkPair()
  const { clerk, api } = pair
  clerk.put('organization', nth('organization', 1))
  clerk.put('organizationMembership', nth('organizationMembership', 1, MEMBERS))
  const reference = {
    id: idOf('organizationMembership', 1),
    organizationId: 'organization_0000001',
    userId: 'user_0000007',
  }
  expect(await api.find('organizationMembership', reference)).toMatchObject({ id: reference.id })
  expect(await api.find('organizationMembership', { ...reference, userId: 'user_0000008' })).toBeUndefined()
  expect(await api.find('organizationMembership', { ...reference, id: 'orgmem_former' })).toBeUndefined()
  clerk.delete('organization', 'organization_0000001')
  expect(await api.find('organizationMembership', reference)).toBeUndefined()
})

test('an invitation is found below its organization alone', async () => {
  await using pair = await openClerkPair()
  const { clerk, api } = pair
  const id = idOf('organizationInvitation', 1)
  clerk.put('organizationInvitation', nth('organizationInvitation', 1, { organization_id: 'org_a' }))
  expect(await api.find('organizationInvitation', { id, organizationId: 'org_a' })).toMatchObject({ id })
  expect(await api.find('organizationInvitation', { id, organizationId: 'org_b' })).toBeUndefined()
})

test('a domain is found among all domains of its organization, which may fill several pages', async () => {
  await using pair = await openClerkPair()
  const { clerk, api } = pair
  for (let n = 0; n < 700; n += 1)
    clerk.put('organizationDomain', nth('organizationDomain', n, { organization_id: 'org_a' }))
  const id = idOf('organizationDomain', 699)
  expect(await api.find('organizationDomain', { id, organizationId: 'org_a' })).toMatchObject({ id })
  expect(await api.find('organizationDomain', { id, organizationId: 'org_b' })).toBeUndefined()
})

test('ids are written into paths so that they lead nowhere else', async () => {
  await using pair = await openClerkPair()
  putMany(pair.clerk, 'user', 1)
  expect(await pair.api.find('user', { id: '../organizations' })).toBeUndefined()
  expect(pair.clerk.requests[0]?.path).toBe('/v1/users/..%2Forganizations')
})

test.each([
  [404, '404 page not found', 'clerk_api_refused'],
  [404, '{"error":"no such host"}', 'clerk_api_refused'],
  [403, '{"errors":[{"code":"organization_not_enabled_in_instance"}]}', 'clerk_api_kind_disabled'],
  [401, '{"errors":[{"code":"resource_not_found"}]}', 'clerk_api_key_refused'],
  [200, '{"id":"user_other"}', 'clerk_api_unavailable'],
] as const)('an answer of %i %s is no absence', async (status, body, code) => {
  await using pair = await openClerkPair()
  pair.clerk.intercept = () => ({ status, body })
  expect(await apiErrorOf(pair.api.find('user', { id: 'user_1' }))).toMatchObject({ code })
})
