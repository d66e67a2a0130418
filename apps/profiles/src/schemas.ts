import { BLOCK_TYPES } from './block-types.js'
import { BLOCKS_MAX, LABEL_MAX, TAGLINE_MAX, URL_MAX } from './limits.js'

/*
 * The shapes of requests and answers. They make the OpenAPI document, and Fastify writes nothing into an answer that
 * its schema does not name.
 */
const nullableText = { type: ['string', 'null'] }
const fields = (properties: Readonly<Record<string, object>>) => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
})

const block = fields({ type: { type: 'integer' }, label: { type: 'string' }, url: { type: 'string' } })
const summaryFields = {
  username: { type: 'string' },
  displayName: nullableText,
  tagline: nullableText,
  imgUrl: nullableText,
}

export const PROFILE = fields({ ...summaryFields, blocks: { type: 'array', items: block } })
export const PROFILE_LIST = fields({ profiles: { type: 'array', items: fields(summaryFields) }, next: nullableText })
export const OWN_PROFILE = fields({
  ...summaryFields,
  username: nullableText,
  blocks: { type: 'array', items: block },
  isPublic: { type: 'boolean' },
})

export const REFUSED = fields({
  error: {
    type: 'object',
    properties: {
      code: { type: 'string' },
      message: { type: 'string' },
      fields: { type: 'object', additionalProperties: { type: 'string' } },
    },
    required: ['code', 'message'],
  },
})

/** For the document alone: our own parser names the fault of every field. */
export const EDIT = fields({
  tagline: { ...nullableText, maxLength: TAGLINE_MAX },
  blocks: {
    type: 'array',
    maxItems: BLOCKS_MAX,
    items: {
      type: 'object',
      properties: {
        type: { type: 'integer', enum: Object.keys(BLOCK_TYPES).map(Number), description: typeList() },
        label: { ...nullableText, maxLength: LABEL_MAX },
        url: { type: 'string', format: 'uri', maxLength: URL_MAX, pattern: '^https://' },
      },
      required: ['type', 'url'],
    },
  },
})

function typeList(): string {
  return Object.entries(BLOCK_TYPES)
    .map(([type, name]) => `${type} ${name}`)
    .join(', ')
}

/** The answers of a route by status, for those refusals that are its own. */
export const answers = (ok: object, ...refusals: readonly number[]) => ({
  200: ok,
  ...Object.fromEntries([...refusals, 503].map((status) => [status, REFUSED])),
})
