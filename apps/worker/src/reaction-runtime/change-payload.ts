import type { ReactionRun } from '../reactions/reaction.js'

/** `public`: ids only, and for a user the public profile. `full`: Clerk's whole object. */
export const PAYLOAD_SHAPES = ['public', 'full'] as const
export type PayloadShape = (typeof PAYLOAD_SHAPES)[number]

/**
 * The body of a change webhook, as text. `object` is its present state, null when it has been deleted; times are ISO
 * 8601, those of versions ms.
 */
export async function changeBody({ change, object: read }: ReactionRun, shape: PayloadShape): Promise<string> {
  const { what, kind, objectId, userId, organizationId, version, changedFields, askedAtMs } = change
  const head = { type: `${kind}.${what}`, timestamp: new Date(askedAtMs).toISOString() }
  const data = { kind, id: objectId, userId, organizationId, version, changedFields }
  const object = await read()
  const now = object && { version: object.version, public: object.publicUser }
  // Clerk's text is copied verbatim: printed anew it would lose large integers, and overflow on deep nesting.
  const clerk = object && shape === 'full' ? { clerk: object.data } : {}
  return objectText({
    ...texts(head),
    data: objectText({ ...texts(data), object: now ? objectText({ ...texts(now), ...clerk }) : 'null' }),
  })
}

const texts = (fields: object): Record<string, string> =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, JSON.stringify(value)]))

/** An object whose members are JSON already. */
const objectText = (members: Readonly<Record<string, string>>): string =>
  `{${Object.entries(members)
    .map(([name, text]) => `${JSON.stringify(name)}:${text}`)
    .join(',')}}`
