import type { Envelope } from './envelope.js'
import { asObject, text } from './fields.js'
import { kindNamed } from './kinds/index.js'
import { kindOf } from './mirrored-kinds.js'

export type PeekResult =
  | ({ kind: 'event' } & Pick<Envelope, 'type' | 'objectId' | 'instanceId'> & { userId: string | null })
  | { kind: 'not-an-event'; code: 'invalid_json' | 'not_an_object' | 'missing_type'; message: string }

/** Text that decodes the same from latin1 and from UTF-8. */
const PLAIN = /^[ -~]*$/

/**
 * The fields that ingest needs from a body. Every other fault of a body is left to the worker, where a wrong judgement
 * costs a dead letter and not an event.
 */
export function peek(body: Buffer): PeekResult {
  // Text with one character for each byte is made and parsed faster, and is JSON if and only if the UTF-8 is: JSON's
  // own syntax is ASCII.
  const seen = read(body.toString('latin1'))
  if (seen.kind === 'not-an-event') return seen
  const { type, objectId, instanceId, userId } = seen
  return PLAIN.test(`${type}${objectId}${instanceId}${userId}`) ? seen : read(body.toString('utf8'))
}

function read(source: string): PeekResult {
  const parsed = parseJson(source)
  if (parsed === undefined) return { kind: 'not-an-event', code: 'invalid_json', message: 'The body is not JSON.' }
  const event = asObject(parsed)
  if (!event) return { kind: 'not-an-event', code: 'not_an_object', message: 'The body is not a JSON object.' }
  const type = event['type']
  if (typeof type !== 'string') {
    return { kind: 'not-an-event', code: 'missing_type', message: 'The body has no "type" that is a string.' }
  }
  const data = asObject(event['data'])
  const userId = data && kindNamed(kindOf(type)).owners(data).userId
  const instanceId = text(event['instance_id'])
  // In the form in which Redis returns it: the body is bound to the type, and an altered type would not match.
  return { kind: 'event', type: type.toWellFormed(), objectId: text(data?.['id']), userId, instanceId }
}

/** JSON has no undefined, so it can stand for "not JSON". */
export function parseJson(source: string): unknown {
  try {
    return JSON.parse(source)
  } catch {
    return undefined
  }
}
