/** Put where a value is hidden: long enough to be seen as such, and the same whatever the value's length. */
export const HIDDEN = '•••'

/** Fields whose values are Clerk's own words. */
const WORDY = new Set(['object', 'type', 'status', 'strategy', 'role'])
const WORD = /^[a-z][A-Za-z_.:]{0,60}$/
const CLERK_ID = /^[a-z]{2,12}_[A-Za-z0-9]{8,64}$/

/**
 * A payload for eyes that need its shape and not its contents: names of fields, ids, times, numbers of Clerk's and
 * Clerk's own words stay; every other text, and everything that the application or its users put into metadata, is
 * hidden. A body that is no JSON is hidden whole.
 */
export function redactPayload(body: string): unknown {
  try {
    return redact(JSON.parse(body), '')
  } catch {
    return `${HIDDEN} (no JSON, ${body.length} characters)`
  }
}

function redact(value: unknown, name: string): unknown {
  if (typeof value === 'string') return isOwnWord(name, value) ? value : HIDDEN
  if (typeof value === 'number') return isOwnNumber(name) ? value : `${HIDDEN} (a number)`
  if (typeof value !== 'object' || value === null) return value
  // Whoever may write metadata may choose the names in it too.
  if (name.endsWith('metadata')) return HIDDEN
  if (Array.isArray(value)) return value.map((each) => redact(each, name))
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, redact(each, key)]))
}

/** An external id is the application's, whatever it looks like. */
function isOwnWord(name: string, value: string): boolean {
  if (WORDY.has(name)) return WORD.test(value)
  return (name === 'id' || (name.endsWith('_id') && name !== 'external_id')) && CLERK_ID.test(value)
}

/** Times and counts; what else is a number may be somebody's telephone. */
const isOwnNumber = (name: string) => /(^timestamp|_at|_count|_attempts)$/.test(name)

/** The payload as it came, indented where it is JSON. */
export function readablePayload(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), undefined, 2)
  } catch {
    return body
  }
}
