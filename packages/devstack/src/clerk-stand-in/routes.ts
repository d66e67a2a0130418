import { ok, refused, type StandInAnswer } from './answers.js'
import { LISTS, STAND_IN_KINDS, type StandInKind, type StandInObject, textOf } from './kinds.js'
import type { ObjectList } from './object-list.js'

/** The stand-in's content, and its behaviour where Clerk's documents say nothing. */
export type Served = {
  instance: { id: string; environment_type: 'production' | 'development' }
  lists: Readonly<Record<StandInKind, ObjectList>>
  behaviour: StandInBehaviour
  /** Rows by which a page is moved, as when something was deleted or inserted before it. */
  shift: () => number
}

export type StandInBehaviour = {
  /** For a cursor whose user was deleted. */
  lostCursor: 'refused' | 'empty' | 'restarted'
  /** Whether a time of creation that equals a border of a window lies within it. */
  includesBorders: boolean
  /** Larger limits become 10. */
  limitMax: number
  /** Features that the instance has switched off. */
  disabled: ReadonlySet<StandInKind>
}

const LIMIT_DEFAULT = 10
const IDS_MAX = 100
const ORDERS = /^[+-]?(?:created_at|updated_at)$/

/** The kind and endpoint that a path asks for: `endpoint` has names in place of ids. */
export type Route = { endpoint: string; answer: (served: Served, query: URLSearchParams) => StandInAnswer }

export function routeOf(path: string): Route | undefined {
  if (path === '/instance') return { endpoint: path, answer: ({ instance }) => ok(JSON.stringify(instance)) }
  if (path === '/users/count') return { endpoint: path, answer: countUsers }
  const listed = STAND_IN_KINDS.find((kind) => LISTS[kind] === path)
  if (listed === 'user') return { endpoint: path, answer: listUsers }
  if (listed) return { endpoint: path, answer: (served, query) => listByOffset(served, listed, query, {}) }
  return nested(path) ?? single(path)
}

function nested(path: string): Route | undefined {
  const [, organizationId = '', what, id] =
    /^\/organizations\/([^/]+)\/(memberships|invitations)(?:\/([^/]+))?$/.exec(path) ?? []
  if (what === 'memberships' && id === undefined) {
    const answer = (served: Served, query: URLSearchParams) =>
      served.lists.organization.get(organizationId)
        ? listByOffset(served, 'organizationMembership', query, { organizationId })
        : NOT_FOUND
    return { endpoint: '/organizations/{id}/memberships', answer }
  }
  if (what !== 'invitations' || id === undefined) return undefined
  return {
    endpoint: '/organizations/{organizationId}/invitations/{id}',
    answer: (served) => one(served, 'organizationInvitation', id, organizationId),
  }
}

/** Kinds that Clerk gives one by one. */
const SINGLE = ['user', 'organization', 'role', 'permission'] as const satisfies readonly StandInKind[]

function single(path: string): Route | undefined {
  const [, list, id = ''] = /^(\/\w+)\/([^/]+)$/.exec(path) ?? []
  const kind = SINGLE.find((each) => LISTS[each] === list)
  return kind && { endpoint: `${list}/{id}`, answer: (served) => one(served, kind, decodeURIComponent(id)) }
}

const NOT_FOUND = refused(404, 'resource_not_found')
const INVALID = refused(422, 'form_param_invalid')

function one(served: Served, kind: StandInKind, id: string, organizationId?: string): StandInAnswer {
  const object = served.lists[kind].get(id)
  if (!object || (organizationId !== undefined && object.organizationId !== organizationId)) return NOT_FOUND
  return ok(textOf(object))
}

function countUsers({ lists, behaviour }: Served, query: URLSearchParams): StandInAnswer {
  return ok(JSON.stringify({ object: 'total_count', total_count: usersOf(lists.user, behaviour, query).length }))
}

function listUsers({ lists, behaviour, shift }: Served, query: URLSearchParams): StandInAnswer {
  const order = query.get('order_by') ?? '-created_at'
  const cursor = query.get('starting_after')
  if (!ORDERS.test(order)) return INVALID
  if (cursor !== null && (query.has('offset') || !order.endsWith('created_at'))) return INVALID
  const limit = limitOf(query, behaviour)
  const sorted = inOrder(lists.user, usersOf(lists.user, behaviour, query), order)
  if (cursor === null) return ok(textList(sorted, moved(offsetOf(query), shift), limit))
  const at = behind(lists.user, sorted, cursor)
  if (at >= 0) return ok(textList(sorted, at, limit))
  if (behaviour.lostCursor === 'refused') return refused(404, 'resource_not_found')
  return ok(behaviour.lostCursor === 'empty' ? '[]' : textList(sorted, 0, limit))
}

function usersOf(list: ObjectList, behaviour: StandInBehaviour, query: URLSearchParams): readonly StandInObject[] {
  const ids = query.getAll('user_id').slice(0, IDS_MAX)
  if (ids.length > 0) return list.all().filter(({ id }) => ids.includes(id))
  const afterMs = numberOf(query, 'created_at_after')
  const beforeMs = numberOf(query, 'created_at_before')
  if (afterMs === undefined && beforeMs === undefined) return list.all()
  return list.createdWithin(afterMs, beforeMs, behaviour.includesBorders)
}

function inOrder(list: ObjectList, objects: readonly StandInObject[], order: string): readonly StandInObject[] {
  if (order.endsWith('updated_at')) {
    const newest = objects === list.all() ? list.byUpdate() : objects.toSorted((a, b) => b.updatedAtMs - a.updatedAtMs)
    return order.startsWith('-') ? newest : newest.toReversed()
  }
  return order.startsWith('-') ? objects.toReversed() : objects
}

/** The place behind the cursor's user; -1 when there is none. */
function behind(list: ObjectList, sorted: readonly StandInObject[], cursor: string): number {
  const user = list.get(cursor)
  if (user === undefined) return -1
  // A million users are searched for each page: they are in order, but for a window or a reversed list.
  const at = sorted === list.all() ? list.placeOf(user) : sorted.indexOf(user)
  return at + (at < 0 ? 0 : 1)
}

function listByOffset(
  { lists, behaviour, shift }: Served,
  kind: StandInKind,
  query: URLSearchParams,
  parent: { organizationId?: string },
): StandInAnswer {
  if (behaviour.disabled.has(kind)) return refused(403, 'organization_not_enabled_in_instance')
  const order = query.get('order_by') ?? '-created_at'
  if (!/^[+-]?created_at$/.test(order)) return INVALID
  const organizationIds =
    parent.organizationId === undefined ? query.getAll('organization_id') : [parent.organizationId]
  const userIds = query.getAll('user_id')
  const isAll = organizationIds.length === 0 && userIds.length === 0
  const isWanted = ({ organizationId, userId }: StandInObject) =>
    (organizationIds.length === 0 || organizationIds.includes(organizationId ?? '')) &&
    (userIds.length === 0 || userIds.includes(userId ?? ''))
  const found = isAll ? lists[kind].all() : lists[kind].all().filter(isWanted)
  const sorted = inOrder(lists[kind], found, order)
  const data = textList(sorted, moved(offsetOf(query), shift), limitOf(query, behaviour))
  return ok(`{"data":${data},"total_count":${sorted.length}}`)
}

/** The first page has nothing before it that could move it. */
const moved = (offset: number, shift: () => number) => (offset === 0 ? 0 : Math.max(0, offset + shift()))

const textList = (objects: readonly StandInObject[], from: number, limit: number) =>
  `[${objects
    .slice(from, from + limit)
    .map(textOf)
    .join(',')}]`

function limitOf(query: URLSearchParams, { limitMax }: StandInBehaviour): number {
  const limit = numberOf(query, 'limit') ?? LIMIT_DEFAULT
  return limit >= 1 && limit <= limitMax ? limit : LIMIT_DEFAULT
}

const offsetOf = (query: URLSearchParams) => Math.max(0, numberOf(query, 'offset') ?? 0)

function numberOf(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name)
  return value !== null && /^-?\d+$/.test(value) ? Number(value) : undefined
}
