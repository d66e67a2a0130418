import { asObject } from './fields.js'
import { type ClerkObject, readObject } from './kinds/index.js'
import { parseJson } from './peek.js'

/**
 * An object in our terms from the text in its object row, as `decode` read it from the event; null for a kind that has
 * no typed table, `unreadable` when the text is no JSON object.
 */
export function readStoredObject(kind: string, text: string): ClerkObject | 'unreadable' | null {
  const data = asObject(parseJson(text))
  return data === null ? 'unreadable' : readObject(kind, data, text)
}
