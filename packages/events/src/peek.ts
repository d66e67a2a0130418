import type { Envelope } from './envelope.js'
import { asObject, text } from './fields.js'
import { kindNamed } from './kinds/index.js'
import { kindOf } from './mirrored-kinds.js'

export type Peeked =
  | ({ kind: 'event' } & Pick<Envelope, 'type' | 'objectId' | 'instanceId'> & { userId: string | null })
  | { kind: 'not-an-event'; code: 'invalid_json' | 'not_an_object' | 'missing_type'; message: string }

/** Reads the same whether a text was made of its bytes one by one or as UTF-8. */
const PLAIN = /^[ -~]*$/

/**
 * What ingest needs to know of a body. Everything else that may be wrong with it is the worker's to judge, where a
 * wrong judgement costs a dead letter and not an event.
 */
export function peek(body: Buffer): Peeked {
  // One character for each byte is made and parsed faster, and is JSON if and only if the UTF-8 is: all that JSON
  // itself consists of is ASCII.
  const seen = read(body.toString('latin1'))
  if (seen.kind === 'not-an-event') return seen
  const { type, objectId, instanceId, userId } = seen
  return PLAIN.test(`${type}${objectId}${instanceId}${userId}`) ? seen : read(body.toString('utf8'))
}

function read(source: string): Peeked {
  const parsed = parseJson(source)
  if (parsed === undefined) return { kind: 'not-an-event', code: 'invalid_json', message: 'The body is not JSON.' }
  const event = asObject(parsed)
  if (!event) return { kind: 'not-an-event', code: 'not_an_object', message: 'The body is not a JSON object.' }
  const type = event['type']
  if (typeof type !== 'string') {
    return { kind: 'not-an-event', code: 'missing_type', message: 'The body has no "type" that is a string.' }
  }
  const data = asObject(event['data'])
  const userId = data && kindNamed(kindOf(type)).subjects(data).userId
  const instanceId = text(event['instance_id'])
  // As Redis will give it back: a type that came back otherwise would be another than the one that a body is bound to.
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
