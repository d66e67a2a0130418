import { type Clerk, create, pickOf, remove, update } from './clerk.js'
import { markerOf } from './history.js'
import type { SimInvitation, SimMembership, SimObject, SimUser } from './payloads.js'

type Action = (clerk: Clerk) => void

const newId = ({ random }: Clerk, prefix: string) => `${prefix}_${random.base62(14)}`
const bornNow = ({ nowMs }: Clerk) => ({ createdAtMs: nowMs, updatedAtMs: nowMs })
/** Handles that pass from one owner to the next. */
const sharedHandle = ({ random }: Clerk) => `handle-${random.integer(1, 3)}`

export const addUser: Action = (clerk) => {
  const id = newId(clerk, 'user')
  const names = { username: markerOf(id), email: null, firstName: `First ${markerOf(id)}` }
  create(clerk, { kind: 'user', id, ...names, revision: 0, ...bornNow(clerk) })
}

export const addOrganization: Action = (clerk) => {
  const id = newId(clerk, 'org')
  const createdBy = pickOf(clerk, 'user')?.id ?? null
  const names = { name: `Name ${markerOf(id)}`, slug: markerOf(id) }
  create(clerk, { kind: 'organization', id, ...names, createdBy, revision: 1, ...bornNow(clerk) })
}

const changeUser: Action = (clerk) => {
  const user = pickOf(clerk, 'user')
  if (!user) return
  user.revision += 1
  user.firstName = clerk.random.chance(0.2) ? null : `${markerOf(user.id)} again`
  if (clerk.random.chance(0.4)) user.username = clerk.random.chance(0.5) ? null : sharedHandle(clerk)
  if (clerk.random.chance(0.4)) user.email = `${sharedHandle(clerk)}@example.org`
  update(clerk, user)
}

/** Two users swap a unique value by way of null, as it happens in one burst. */
const swapNames: Action = (clerk) => {
  const [a, b] = [pickOf(clerk, 'user'), pickOf(clerk, 'user')]
  if (!a || !b || a === b) return
  const [ofA, ofB] = [sharedHandle(clerk), sharedHandle(clerk)]
  const take = (user: SimUser, username: string | null) => {
    user.username = username
    user.email = username && `${username}@example.org`
    user.revision += 1
    clerk.nowMs += 1
    update(clerk, user)
  }
  take(a, ofA)
  take(b, ofB)
  take(a, null)
  take(b, ofA)
  take(a, ofB)
}

const changeOrganization: Action = (clerk) => {
  const organization = pickOf(clerk, 'organization')
  if (!organization) return
  organization.revision += 1
  organization.slug = clerk.random.chance(0.5) ? sharedHandle(clerk) : `${markerOf(organization.id)}-again`
  organization.name = `Name ${organization.revision} ${markerOf(organization.id)}`
  update(clerk, organization)
}

const join: Action = (clerk) => {
  const [user, organization] = [pickOf(clerk, 'user'), pickOf(clerk, 'organization')]
  if (!user || !organization) return
  const id = newId(clerk, 'orgmem')
  create(clerk, { kind: 'organizationMembership', id, user, organization, role: 'org:member', ...bornNow(clerk) })
}

const changeRole: Action = (clerk) => {
  const membership = pickOf(clerk, 'organizationMembership')
  if (!membership) return
  membership.role = clerk.random.pick(['org:admin', 'org:member', 'org:guest'])
  update(clerk, membership)
}

const leave: Action = (clerk) => removeOne(clerk, 'organizationMembership')

/** Out and in again: the new membership is created before Clerk says that the old one is gone. */
const rejoin: Action = (clerk) => {
  const old = pickOf(clerk, 'organizationMembership')
  if (!old) return
  const fresh: SimMembership = { ...old, id: newId(clerk, 'orgmem'), role: 'org:member', ...bornNow(clerk) }
  create(clerk, fresh)
  clerk.nowMs += 1
  remove(clerk, old)
}

const invite: Action = (clerk) => {
  const [inviter, organization] = [pickOf(clerk, 'user'), pickOf(clerk, 'organization')]
  if (!inviter || !organization) return
  const invitee = clerk.random.chance(0.6) ? pickOf(clerk, 'user') : null
  const id = newId(clerk, 'orginv')
  const invitation: SimInvitation = {
    kind: 'organizationInvitation',
    ...{ id, inviter, invitee, organization, status: 'pending' },
    ...bornNow(clerk),
  }
  create(clerk, invitation)
  if (invitee === null && clerk.random.chance(0.5)) return
  clerk.nowMs += clerk.random.integer(100, 900)
  // Only an invitation that will be accepted carries its invitee's address from the start.
  invitation.status = invitee === null ? 'revoked' : 'accepted'
  update(clerk, invitation, invitation.status)
}

const addDomain: Action = (clerk) => {
  const organization = pickOf(clerk, 'organization')
  if (!organization) return
  const id = newId(clerk, 'orgdmn')
  create(clerk, { kind: 'organizationDomain', id, organization, verified: false, ...bornNow(clerk) })
}

const verifyDomain: Action = (clerk) => {
  const domain = pickOf(clerk, 'organizationDomain')
  if (!domain) return
  domain.verified = !domain.verified
  update(clerk, domain)
}

const signIn: Action = (clerk) => {
  const user = pickOf(clerk, 'user')
  if (!user) return
  const id = newId(clerk, 'sess')
  const session = create(clerk, { kind: 'session', id, user, status: 'active', ...bornNow(clerk) })
  if (clerk.random.chance(0.5)) return
  session.status = 'ended'
  clerk.nowMs += 1
  update(clerk, session, 'ended')
}

const subscribe: Action = (clerk) => {
  const payer = clerk.random.chance(0.5) ? pickOf(clerk, 'user') : pickOf(clerk, 'organization')
  if (!payer) return
  const id = newId(clerk, 'csub')
  const subscription = create(clerk, { kind: 'subscription', id, payer, status: 'active', ...bornNow(clerk) })
  if (clerk.random.chance(0.5)) return
  subscription.status = 'past_due'
  clerk.nowMs += 1
  update(clerk, subscription, 'pastDue')
}

function removeOne(clerk: Clerk, kind: SimObject['kind']): void {
  const object = pickOf(clerk, kind)
  if (object) remove(clerk, object)
}

const WEIGHTED: readonly (readonly [number, Action])[] = [
  [3, addUser],
  [8, changeUser],
  [2, swapNames],
  [4, (clerk) => removeOne(clerk, 'user')],
  [1, addOrganization],
  [4, changeOrganization],
  [2, (clerk) => removeOne(clerk, 'organization')],
  [9, join],
  [3, changeRole],
  [3, leave],
  [2, rejoin],
  [4, invite],
  [2, addDomain],
  [1, verifyDomain],
  [1, (clerk) => removeOne(clerk, 'organizationDomain')],
  [3, signIn],
  [2, subscribe],
]
const LOTS = WEIGHTED.flatMap(([weight, action]) => new Array<Action>(weight).fill(action))

export function act(clerk: Clerk): void {
  LOTS[clerk.random.integer(0, LOTS.length - 1)]?.(clerk)
}
