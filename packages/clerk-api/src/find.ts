import { LISTINGS, type ReferenceOf, type WalkedKind } from './kinds.js'
import { parseObject } from './listing.js'
import { startOf } from './position.js'
import type { Reader } from './reader.js'
import type { Requester } from './requester.js'
import type { ApiObject } from './walk.js'
import { type OffsetList, walkByOffset } from './walk-by-offset.js'

export type Finder = { requester: Requester; reader: Reader; signal: AbortSignal; idleMs: number }

type Find<K extends WalkedKind> = (finder: Finder, reference: ReferenceOf[K]) => Promise<ApiObject | undefined>

/** How to ask for one object: directly, or in the smallest list that holds it. */
export const FIND: { readonly [K in WalkedKind]: Find<K> } = {
  user: (finder, { id }) => one(finder, '/users/{id}', { id }),
  organization: (finder, { id }) => one(finder, '/organizations/{id}', { id }),
  organizationMembership: (finder, { id, organizationId, userId }) =>
    among(finder, id, {
      endpoint: '/organizations/{id}/memberships',
      path: `/organizations/${encodeURIComponent(organizationId)}/memberships`,
      query: { user_id: userId },
      hasParent: true,
    }),
  organizationInvitation: (finder, { id, organizationId }) =>
    one(finder, '/organizations/{organizationId}/invitations/{id}', { id, organizationId }),
  organizationDomain: (finder, { id, organizationId }) =>
    among(finder, id, { ...whole('organizationDomain'), query: { organization_id: organizationId } }),
  role: (finder, { id }) => one(finder, '/organization_roles/{id}', { id }),
  permission: (finder, { id }) => one(finder, '/organization_permissions/{id}', { id }),
  waitlistEntry: (finder, { id }) => among(finder, id, whole('waitlistEntry')),
}

const whole = (kind: WalkedKind): OffsetList => ({ endpoint: LISTINGS[kind].path, path: LISTINGS[kind].path })

async function one(
  { requester, signal }: Finder,
  endpoint: string,
  ids: Readonly<Record<string, string>>,
): Promise<ApiObject | undefined> {
  const path = endpoint.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(ids[name] ?? ''))
  const parse = (text: string) => {
    const object = parseObject(text)
    if (object.id !== ids['id']) throw new Error('another object')
    return object
  }
  const answer = await requester.get({ endpoint, path, signal, parse })
  return answer.kind === 'value' ? answer.value : undefined
}

/** The whole list must be seen before the object counts as absent. */
async function among(finder: Finder, id: string, list: OffsetList): Promise<ApiObject | undefined> {
  for await (const { objects } of walkByOffset(finder.reader, list, startOf('organizationMembership', {}), 0)) {
    const found = objects.find((each) => each.id === id)
    if (found) return found
  }
  return undefined
}
