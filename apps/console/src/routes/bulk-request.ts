import { type FilterText, isNarrowing, readFilter } from '../dead-letter-filter.js'
import { Refusal } from '../errors.js'
import { REPLAY_PER_S } from '../limits.js'

/** A program's request to replay or discard. */
export type BulkRequest = { filter: FilterText; dryRun: boolean; ratePerS: number }

/**
 * Reads `{"filter": {"fingerprint": "…"}, "dryRun": true}`. A filter of nothing is refused: a program that forgets it
 * would discard everything, which is `{"all": true}`.
 * @throws Refusal that names the fault
 */
export function bulkOf(body: unknown): BulkRequest {
  const { filter, dryRun = false, ratePerS = REPLAY_PER_S, ...rest } = objectOf(body, 'The body')
  const { all = false, ids = [], ...texts } = objectOf(filter, 'The filter')
  refuseUnless(Object.keys(rest).length === 0, 'The body has filter, dryRun and ratePerS, and nothing else.')
  refuseUnless(typeof dryRun === 'boolean' && typeof all === 'boolean', 'dryRun and all are true or false.')
  refuseUnless(typeof ratePerS === 'number' && ratePerS > 0, 'ratePerS is a number above 0.')
  refuseUnless(isTexts(ids), 'ids is a list of texts.')
  const values = Object.values(texts)
  refuseUnless(isTexts(values), 'The parts of a filter are texts.')
  const query = new URLSearchParams()
  for (const [index, name] of Object.keys(texts).entries()) query.set(name, values[index] ?? '')
  for (const id of ids) query.append('id', id)
  const read = readFilter(query)
  refuseUnless(
    Object.keys(texts).every((name) => Object.hasOwn(read, name)),
    'The filter has a part that is not known here, or empty.',
  )
  refuseUnless(all || isNarrowing(read), 'The filter is empty. Send {"all": true} for every dead letter.')
  return { filter: read, dryRun, ratePerS }
}

function refuseUnless(isRight: boolean, detail: string): asserts isRight {
  if (!isRight) throw new Refusal('invalid_request', detail)
}

const isTexts = (values: unknown): values is string[] =>
  Array.isArray(values) && values.every((each) => typeof each === 'string')

function objectOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  throw new Refusal('invalid_request', `${what} must be a JSON object.`)
}
