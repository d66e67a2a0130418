import type { Run } from '../reactions/reaction.js'

/** `public`: of an object nothing but ids, and of a user what their public page shows. `full`: Clerk's whole object. */
export const PAYLOAD_SHAPES = ['public', 'full'] as const
export type PayloadShape = (typeof PAYLOAD_SHAPES)[number]

/**
 * The body of a change webhook, as text. `object` is what it is now, null when it has been deleted; times are ISO 8601,
 * those of versions ms.
 */
export async function changeBody({ change, object: read }: Run, shape: PayloadShape): Promise<string> {
  const { what, kind, objectId, userId, organizationId, version, changedFields, askedAtMs } = change
  const head = { type: `${kind}.${what}`, timestamp: new Date(askedAtMs).toISOString() }
  const data = { kind, id: objectId, userId, organizationId, version, changedFields }
  const object = await read()
  const now = object && { version: object.version, public: object.publicUser }
  // Clerk's text goes in letter by letter: printed anew it would lose large integers, and overflow on deep nesting.
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
