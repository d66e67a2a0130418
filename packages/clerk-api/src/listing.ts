import { elementTexts, memberText } from '@clerk-mirror/events'
import type { ApiObject } from './walk.js'

/** A page as Clerk sends it; a bare list has no total. */
export type ListAnswer = { objects: ApiObject[]; total: number | undefined }

/** `[…]` or `{"data":[…],"total_count":…}`. @throws when it is neither, or in another order than `created_at`. */
export function parseList(text: string): ListAnswer {
  const parsed: unknown = JSON.parse(text)
  if (Array.isArray(parsed)) return { objects: objectsOf(text, parsed), total: undefined }
  const { data, total_count: total } = Object(parsed) as { data?: unknown; total_count?: unknown }
  const dataText = memberText(text, 'data')
  if (!Array.isArray(data) || dataText === null || !isCount(total)) throw new Error('not a page')
  return { objects: objectsOf(dataText, data), total }
}

/** @throws when it is not an object with an id. */
export function parseObject(text: string): ApiObject {
  return objectOf(text.trim(), JSON.parse(text))
}

/** @throws when it is not `{"total_count":…}`. */
export function parseCount(text: string): number {
  const { total_count: total } = Object(JSON.parse(text)) as { total_count?: unknown }
  if (!isCount(total)) throw new Error('not a count')
  return total
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0

/** The texts are Clerk's own: parsed JSON has lost the digits of large numbers. */
function objectsOf(listText: string, parsed: readonly unknown[]): ApiObject[] {
  const texts = elementTexts(listText)
  return parsed.map((each, at) => objectOf(texts[at] ?? '', each))
}

function objectOf(text: string, parsed: unknown): ApiObject {
  const { id, created_at: createdAt, updated_at: updatedAt } = Object(parsed) as Record<string, unknown>
  if (typeof id !== 'string' || id === '') throw new Error('an object without an id')
  return { id, createdAtMs: timeOf(createdAt), updatedAtMs: timeOf(updatedAt), text }
}

const timeOf = (value: unknown) => (typeof value === 'number' && Number.isFinite(value) ? value : 0)
