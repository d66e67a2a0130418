import { CONTAINERS, COUNTS, FLAGS, IDS, TIMES, WORDS } from './safe-members.js'

/** Put where a value is hidden: long enough to be seen as such, and the same for a value of any length. */
export const HIDDEN = '•••'

const CLERK_ID = /^[a-z]{2,12}(_[a-z]{2,12})?_[A-Za-z0-9]{8,64}$/
/** An event's type, which is the name of its job besides. */
const EVENT_TYPE = /^[a-z][A-Za-z]{0,40}(\.[a-z][A-Za-z]{0,40}){1,2}$/
/** As Clerk names members, and as we do. */
const MEMBER_NAME = /^[a-z][A-Za-z0-9_]{0,63}$/

/**
 * A payload for eyes that need its shape and not its contents: names of members stay, and of their values those that
 * are on the list of safe ones and look it. Everything else is hidden, under any name. A body that is no JSON is hidden
 * whole.
 */
export function redactPayload(body: string): unknown {
  try {
    const event: unknown = JSON.parse(body)
    if (typeof event !== 'object' || event === null || Array.isArray(event)) return hidden(event)
    const shown = membersOf(event)
    const { type } = event as { type?: unknown }
    return typeof type === 'string' && EVENT_TYPE.test(type) ? { ...shown, type } : shown
  } catch {
    return `${HIDDEN} (no JSON, ${body.length} characters)`
  }
}

function membersOf(value: object): Record<string, unknown> {
  // Names that Clerk does not write are foreign text too.
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [MEMBER_NAME.test(name) ? name : HIDDEN, redact(each, name)]),
  )
}

function redact(value: unknown, name: string): unknown {
  if (value === null) return null
  if (typeof value !== 'object') return isSafe(value, name) ? value : hidden(value)
  if (!CONTAINERS.has(name)) return hidden(value)
  if (Array.isArray(value)) return value.map((each) => redact(each, name))
  return membersOf(value)
}

function isSafe(value: unknown, name: string): boolean {
  if (typeof value === 'boolean') return FLAGS.has(name)
  if (typeof value === 'number') return TIMES.has(name) || COUNTS.has(name)
  if (typeof value !== 'string') return false
  return IDS.has(name) ? CLERK_ID.test(value) : (WORDS.get(name)?.has(value) ?? false)
}

/** The kind of a value: a malformed event is one for a member that should be of another. */
function hidden(value: unknown): string {
  if (typeof value === 'string') return HIDDEN
  if (Array.isArray(value)) return `${HIDDEN} (a list)`
  return `${HIDDEN} (${KINDS[typeof value] ?? 'nothing'})`
}

const KINDS: Readonly<Record<string, string>> = { number: 'a number', boolean: 'a boolean', object: 'an object' }

/** The payload as it came, indented where it is JSON. */
export function readablePayload(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), undefined, 2)
  } catch {
    return body
  }
}
