import type { ProfileEdit } from '@clerk-mirror/mirror'
import { BLOCK_TYPES, isBlockType } from './block-types.js'
import type { FieldErrors } from './errors.js'
import { BLOCKS_MAX, LABEL_MAX, TAGLINE_MAX, URL_MAX } from './limits.js'

export type ParsedEdit = { kind: 'valid'; edit: ProfileEdit } | { kind: 'invalid'; fields: FieldErrors }

/** Names the fault of a field; its path is composed of the names on the way to it. */
type Report = (path: string, problem: string) => void

const TYPES = Object.keys(BLOCK_TYPES).join(', ')
// Everything that ends a line or moves the cursor, the two separators of Unicode among it.
const CONTROL = /[\p{Cc}\u2028\u2029]/u

/** The body of `PUT /me`: every fault at once, and texts as they are stored. */
export function parseEdit(body: unknown): ParsedEdit {
  const fields: Record<string, string> = {}
  const report: Report = (path, problem) => {
    fields[path] = problem
  }
  if (!isRecord(body)) return { kind: 'invalid', fields: { '': 'must be an object with tagline and blocks' } }
  const tagline = parseText(body['tagline'], 'tagline', TAGLINE_MAX, report)
  const blocks = parseBlocks(body['blocks'], report)
  return Object.keys(fields).length > 0 ? { kind: 'invalid', fields } : { kind: 'valid', edit: { tagline, blocks } }
}

function parseBlocks(value: unknown, report: Report): ProfileEdit['blocks'] {
  if (!Array.isArray(value)) report('blocks', 'must be a list')
  else if (value.length > BLOCKS_MAX) report('blocks', `must be at most ${BLOCKS_MAX}`)
  else return value.map((block: unknown, index) => parseBlock(block, `blocks.${index}`, report))
  return []
}

function parseBlock(block: unknown, path: string, report: Report): ProfileEdit['blocks'][number] {
  if (!isRecord(block)) {
    report(path, 'must be an object with type, label and url')
    return { type: 0, label: null, url: '' }
  }
  const { type } = block
  if (!isBlockType(type)) report(`${path}.type`, `must be one of ${TYPES}`)
  const label = parseText(block['label'] ?? null, `${path}.label`, LABEL_MAX, report)
  return { type: Number(type), label, url: parseUrl(block['url'], `${path}.url`, report) }
}

/** One line of text; blank is none. */
function parseText(value: unknown, path: string, max: number, report: Report): string | null {
  if (value === null) return null
  if (typeof value !== 'string') {
    report(path, 'must be a text or null')
    return null
  }
  const text = value.toWellFormed().normalize('NFC').trim()
  // Counted as the column counts, not in UTF-16 units.
  if (text.length > max && Array.from(text).length > max) report(path, `must have at most ${max} characters`)
  if (CONTROL.test(text)) report(path, 'must be one line without control characters')
  return text === '' ? null : text
}

/** Stored as browsers write it, in plain ASCII: the shown address is the opened one. */
function parseUrl(value: unknown, path: string, report: Report): string {
  const href = httpsUrl(value)
  if (href === null) report(path, 'must be a URL that begins with https:// and holds no password')
  else if (href.length > URL_MAX) report(path, `must have at most ${URL_MAX} characters`)
  return href ?? ''
}

/** A URL that may stand in a link of a page; null for any other stored text. */
export function httpsUrl(value: unknown): string | null {
  if (typeof value !== 'string' || !URL.canParse(value)) return null
  const { protocol, username, password, href } = new URL(value)
  return protocol === 'https:' && username === '' && password === '' ? href : null
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
