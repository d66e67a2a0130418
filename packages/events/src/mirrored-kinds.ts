/** They carry one-time codes and magic links, and never even reach Redis, whatever the setting. */
const NEVER_STORED: readonly string[] = ['email', 'sms']

export type MirroredKinds = (kind: string) => boolean

/** A setting of kinds; `text` is equal for settings with the same words. */
export type KindsSetting = MirroredKinds & { readonly text: string }

const KIND_NAME = /^-?[A-Za-z][\w.]*$/

/**
 * `*` is every kind, a name adds one, `-name` excludes one: `*,-session`, `user,organization`. Throws an Error that
 * names the unreadable part.
 */
export function parseMirroredKinds(raw: string): KindsSetting {
  const words = raw.split(/[\s,]+/).filter((word) => word !== '')
  const odd = words.find((word) => word !== '*' && !KIND_NAME.test(word))
  if (odd !== undefined) throw new Error(`"${odd}" is no kind: use names such as user or -session, or *`)
  const excluded = new Set(words.filter((word) => word.startsWith('-')).map((word) => word.slice(1)))
  const included = new Set(words.filter((word) => !word.startsWith('-')))
  const isEmpty = [...included].every((kind) => excluded.has(kind))
  if (isEmpty) throw new Error('names no kind to mirror: use * for all')
  const isMirrored = (kind: string) => !excluded.has(kind) && (included.has('*') || included.has(kind))
  return Object.assign(isMirrored, { text: [...new Set(words)].sort().join(',') })
}

export const isNeverStored = (type: string): boolean => NEVER_STORED.includes(kindOf(type))

/** The kind of `organizationMembership.deleted` is `organizationMembership`. */
export const kindOf = (type: string): string => {
  const dot = type.lastIndexOf('.')
  return dot === -1 ? type : type.slice(0, dot)
}
