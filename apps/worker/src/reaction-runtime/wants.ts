import type { ReactionInterests, ReactionRequest } from '@clerk-mirror/mirror'
import type { RegisteredReactions } from '@clerk-mirror/queue/consume'
import type { Reaction, Wanted } from '../reactions/reaction.js'

type Interest = { kind: string; what: ReactionRequest['what'] | '*'; fields: readonly string[] | null }

/** The reactions' wishes in the form that the mirror needs. */
export function interestsOf(reactions: readonly Pick<Reaction, 'name' | 'wants'>[]): ReactionInterests {
  const all = reactions.map(({ name, wants }) => ({ name, interests: wants.map(interestOf) }))
  const isAbout = ({ kind, what }: Interest, happened: string, inKind: string) =>
    (kind === '*' || kind === inKind) && (what === '*' || what === happened)
  return {
    to: (what, kind, changedFields) =>
      all.flatMap(({ name, interests }) => {
        const near = interests.filter((interest) => isAbout(interest, what, kind))
        const isWanted = near.some(
          ({ fields }) => fields === null || changedFields().some((field) => fields.includes(field)),
        )
        return isWanted ? [name] : []
      }),
    wantUpdatesOf: (kind) =>
      all.some(({ interests }) => interests.some((interest) => isAbout(interest, 'updated', kind))),
  }
}

/** The text of a filter on the register: equal filters give equal text, in every process. */
export function filterText(wanted: Wanted): string {
  if (typeof wanted === 'string') return JSON.stringify(wanted)
  interestOf(wanted)
  return JSON.stringify({ on: wanted.on, fields: [...new Set(wanted.fields)].sort() })
}

/**
 * The reactions on the register, as this worker understands them. An unreadable filter of a later release is read as
 * `*`: that requests too many runs, and misses none.
 */
export const wantedOnRegister = (registered: RegisteredReactions): Pick<Reaction, 'name' | 'wants'>[] =>
  [...registered].map(([name, filters]) => ({ name, wants: filters.map(readFilter) }))

function readFilter(text: string): Wanted {
  try {
    const wanted = JSON.parse(text) as Wanted
    interestOf(wanted)
    const isRead = typeof wanted === 'string' || wanted.fields.every((field) => typeof field === 'string')
    return isRead ? wanted : '*'
  } catch {
    return '*'
  }
}

function interestOf(wanted: Wanted): Interest {
  if (wanted === '*') return { kind: '*', what: '*', fields: null }
  const type = typeof wanted === 'string' ? wanted : wanted.on
  const dot = type.lastIndexOf('.')
  const what = WHATS.find((each) => each === type.slice(dot + 1))
  if (dot < 1 || !what) throw new Error(`"${type}" is not a change that a reaction can want`)
  return { kind: type.slice(0, dot), what, fields: typeof wanted === 'string' ? null : wanted.fields }
}

const WHATS = ['created', 'updated', 'deleted', '*'] as const
