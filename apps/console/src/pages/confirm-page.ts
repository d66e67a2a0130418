import { type Html, html } from '@clerk-mirror/pages'
import type { Session } from '../auth/sessions.js'
import { type FilterText, filterInWords, queryOf } from '../dead-letter-filter.js'
import { REPLAY_PER_S } from '../limits.js'
import type { Verb } from '../runs.js'
import { hiddenFields } from './dead-letters-page.js'
import { counted } from './format.js'
import { formKey, layout } from './layout.js'

/** `asked` is the filter as it was chosen, `filter` the one that was counted and will be carried out. */
export type ConfirmView = { session: Session; verb: Verb; asked: FilterText; filter: FilterText; matched: number }

/** The preview of an action with its exact number of events. */
export function confirmPage({ session, verb, asked, filter, matched }: ConfirmView): Html {
  const deadLetters = counted(matched, 'dead letter')
  const { ids: _, ...rest } = asked
  const back = `/dead-letters?${queryOf(rest).toString()}`
  const { title, text, button, tone } = WORDS[verb](deadLetters)
  const body =
    matched === 0
      ? html`<h1>Nothing to ${verb}</h1><p class="lead">No dead letter matches any more: ${filterInWords(asked)}.
          Somebody else may have been faster.</p><p class="actions"><a class="button" href="${back}">Back</a></p>`
      : html`<h1>${title}</h1>
        <p class="lead">Chosen: <strong>${filterInWords(asked)}</strong>.</p>
        ${text.map((paragraph) => html`<p>${paragraph}</p>`)}
        <form class="actions confirm" method="post" action="/dead-letters/run">
          ${formKey(session)}${hiddenFields(filter)}
          <button class="${tone}" name="verb" value="${verb}">${button}</button>
          <a class="button" href="${back}">Cancel</a>
        </form>`
  return layout({ title: verb === 'replay' ? 'Replay' : 'Discard', path: '/dead-letters', session, body })
}

type Words = { title: string; text: string[]; button: string; tone: string }

const WORDS: Readonly<Record<Verb, (deadLetters: string) => Words>> = {
  replay: (deadLetters) => ({
    title: `Replay ${deadLetters}?`,
    text: [
      'They go back into the queue as if they had never been tried, and keep their ids and times of receipt. What is ' +
        'newer in the tables stays: an old event never undoes a newer one.',
      `Nothing has been done yet. At most ${REPLAY_PER_S} a second are moved; you can stop it half-way.`,
    ],
    button: `Replay ${deadLetters}`,
    tone: 'primary',
  }),
  discard: (deadLetters) => ({
    title: `Discard ${deadLetters}?`,
    text: [
      'They are deleted with their payloads, and the ledger notes them as discarded. Only Clerk can bring one back, ' +
        'with “Resend” in its dashboard.',
      'Nothing has been done yet.',
    ],
    button: `Discard ${deadLetters} for good`,
    tone: 'danger',
  }),
}
