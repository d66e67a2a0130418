import { REACTION_NAME } from '@clerk-mirror/queue/consume'
import type { Reaction } from '../reactions/reaction.js'

/**
 * `*` is every reaction, a name adds one, `-name` leaves one out, as in MIRROR_KINDS.
 * Throws an Error that names the unreadable part.
 */
export const chooseReactions =
  (all: readonly Reaction[]) =>
  (raw: string): Reaction[] => {
    const words = raw.split(/[\s,]+/).filter((word) => word !== '')
    const odd = words.find((word) => word !== '*' && !all.some(({ name }) => name === word.replace(/^-/, '')))
    if (odd !== undefined) {
      throw new Error(`"${odd}" is no reaction: there are ${all.map(({ name }) => name).join(', ')}, and * for all`)
    }
    if (words.every((word) => word.startsWith('-'))) throw new Error('names no reaction to run: use * for all')
    return all.filter(({ name }) => !words.includes(`-${name}`) && (words.includes('*') || words.includes(name)))
  }

/** Names are part of keys and job ids: a worker with an invalid or a duplicate one must not start. @throws Error */
export function demandNames(reactions: readonly Reaction[]): void {
  const names = reactions.map(({ name }) => name)
  const odd = names.find((name, index) => !REACTION_NAME.test(name) || names.indexOf(name) !== index)
  if (odd !== undefined) throw new Error(`"${odd}" cannot be a reaction's name, or is one twice`)
}
