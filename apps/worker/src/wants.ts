import type { AskedReaction, Reactions } from '@clerk-mirror/mirror'
import type { Reaction, Wanted } from './reactions/reaction.js'

type Interest = { kind: string; what: AskedReaction['what'] | '*'; fields: readonly string[] | null }

/** What the mirror has to know of the reactions: which of them want a change. */
export function interestsOf(reactions: readonly Reaction[]): Pick<Reactions, 'to' | 'wantUpdatesOf'> {
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

function interestOf(wanted: Wanted): Interest {
  if (wanted === '*') return { kind: '*', what: '*', fields: null }
  const type = typeof wanted === 'string' ? wanted : wanted.on
  const dot = type.lastIndexOf('.')
  const what = WHATS.find((each) => each === type.slice(dot + 1))
  if (dot < 1 || !what) throw new Error(`"${type}" is nothing that a reaction can want`)
  return { kind: type.slice(0, dot), what, fields: typeof wanted === 'string' ? null : wanted.fields }
}

const WHATS = ['created', 'updated', 'deleted', '*'] as const
