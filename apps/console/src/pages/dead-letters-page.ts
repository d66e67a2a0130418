import type { DeadLetterCause, Page } from '@clerk-mirror/operations'
import { type Html, html } from '@clerk-mirror/pages'
import type { DeadLetter } from '@clerk-mirror/queue/operate'
import type { Session } from '../auth/sessions.js'
import { type FilterText, isNarrowing, queryOf } from '../dead-letter-filter.js'
import { count, counted, duration, moment } from './format.js'
import { formKey, layout, notice } from './layout.js'

export type DeadLettersView = {
  session: Session
  filter: FilterText
  total: number
  causes: readonly DeadLetterCause[]
  page: Page<DeadLetter>
  isFirstPage: boolean
  isLedgerAsked: boolean
  nowMs: number
}

export function deadLettersPage(view: DeadLettersView): Html {
  const { session, filter, total, causes, page } = view
  const isFiltered = isNarrowing(filter)
  const isEvents = filter.queue !== 'reactions'
  const body = html`<h1>Dead letters</h1>
    ${queueSwitch(isEvents)}
    <p class="lead">${
      total === 0
        ? isFiltered && 'No dead letter matches the filter.'
        : html`<strong>${counted(total, 'dead letter')}</strong>, ${counted(causes.length, 'cause')}${isFiltered && ' under this filter'}.
          ${isEvents ? 'Events that could not be applied; nothing else waits for them.' : 'Runs of reactions that were given up; the mirror is right without them.'}`
    }</p>
    ${isEvents && !view.isLedgerAsked && notice('warn', 'MySQL was not asked', 'Dead letters that a resend has settled are listed here too until it answers.')}
    ${total > 0 && html`<div class="causes">${causes.map((cause) => causeCard(cause, view))}</div>`}
    ${(total > 0 || isFiltered) && filterForm(filter, isFiltered)}
    ${total === 0 && !isFiltered && notice('good', 'No dead letters', isEvents ? 'Every event that was accepted has been applied, or is on its way.' : 'Every reaction that was asked for is done, or will be tried again.')}
    ${page.items.length > 0 && deadLetterList(view)}`
  return layout({ title: 'Dead letters', path: '/dead-letters', session, body })
}

const queueSwitch = (isEvents: boolean) => html`<nav class="actions" aria-label="Queue">
      <a class="button" href="/dead-letters" ${isEvents && html`aria-current="page"`}>Events</a>
      <a class="button" href="/dead-letters?queue=reactions" ${!isEvents && html`aria-current="page"`}>Reactions</a>
    </nav>`

function causeCard(cause: DeadLetterCause, { session, filter, nowMs }: DeadLettersView): Html {
  const narrowed = { ...filter, fingerprint: cause.fingerprint }
  return html`<article class="card cause">
      <h2><span class="big">${count(cause.count)}</span> <code>${cause.class}/${cause.code}</code></h2>
      <p class="message">${cause.message}</p>
      <p>First ${moment(cause.firstFailedAtMs, nowMs)}, last ${moment(cause.lastFailedAtMs, nowMs)};
        for example <a href="/dead-letters/${cause.sampleId}"><code>${cause.sampleId}</code></a></p>
      <p class="advice">${cause.advice}</p>
      <div class="actions">
        <a class="button" href="/dead-letters?${queryOf(narrowed).toString()}">Only these</a>
        ${session.account.role === 'operator' && verbs(narrowed, session, counted(cause.count, 'dead letter'))}
      </div>
    </article>`
}

/** Both buttons lead to a preview. */
const verbs = (
  filter: FilterText,
  session: Session,
  what: string,
) => html`<form method="post" action="/dead-letters/confirm">
          ${formKey(session)}${hiddenFields(filter)}
          <button class="primary" name="verb" value="replay" aria-label="Replay ${what} …">Replay …</button>
          <button class="danger" name="verb" value="discard" aria-label="Discard ${what} …">Discard …</button>
        </form>`

const queueOf = ({ queue }: FilterText): FilterText => (queue === undefined ? {} : { queue })

export const hiddenFields = (filter: FilterText): Html[] =>
  [...queryOf(filter)].map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)

const CLASSES = ['poison', 'unknown', 'killer', 'outage', 'contention', 'blocked']

const filterForm = (
  filter: FilterText,
  isFiltered: boolean,
) => html`<details class="card" ${isFiltered && html`open`}><summary>Filter</summary><form class="filter" action="/dead-letters">
      ${filter.queue !== undefined && html`<input type="hidden" name="queue" value="${filter.queue}">`}
      ${field('type', filter.queue === 'reactions' ? 'Reaction' : 'Type', filter.type, 'user.created')}
      ${field('object', 'Object', filter.object, 'user_…')}
      <label>Class <select name="class"><option value="">any</option>${CLASSES.map((name) =>
        name === filter.class ? html`<option selected>${name}</option>` : html`<option>${name}</option>`,
      )}</select></label>
      ${field('fingerprint', 'Fingerprint', filter.fingerprint, '1a2b3c4d')}
      ${field('reason', 'Reason has the text', filter.reason, 'data.id')}
      ${field('since', 'Failed since (UTC)', filter.since, '2026-01-31T04:05')}
      ${field('until', 'Failed until (UTC)', filter.until, '2026-01-31T05:00')}
      <div class="actions"><button>Apply</button>${isFiltered && html`<a class="button" href="/dead-letters?${queryOf(queueOf(filter)).toString()}">Clear</a>`}</div>
    </form></details>`

const field = (name: string, label: string, value: string | undefined, example: string) =>
  html`<label>${label} <input name="${name}" value="${value}" placeholder="${example}" autocomplete="off" spellcheck="false"></label>`

function deadLetterList({ session, filter, page, isFirstPage, total, nowMs }: DeadLettersView): Html {
  const isOperator = session.account.role === 'operator'
  const next = queryOf(filter)
  if (page.cursor !== null) next.set('cursor', page.cursor)
  return html`<form method="post" action="/dead-letters/confirm" data-selection>
      ${formKey(session)}${hiddenFields(queueOf(filter))}<input type="hidden" name="only" value="selected">
      <div class="table"><table>
        <caption>${isFirstPage ? 'Dead letters' : 'More dead letters'}, oldest failure first</caption>
        <thead><tr>
          ${isOperator && html`<th><input type="checkbox" data-all aria-label="Select all on this page"></th>`}
          <th>Event</th><th>Type</th><th>Object</th><th>Cause</th><th class="number">Tries</th><th>Failed</th>
        </tr></thead>
        <tbody>${page.items.map((deadLetter) => deadLetterRow(deadLetter, isOperator, nowMs))}</tbody>
      </table></div>
      ${isOperator && selectionBar}
    </form>
    <nav class="pages" aria-label="Pages">
      ${!isFirstPage && html`<a class="button" href="/dead-letters?${queryOf(filter).toString()}">First page</a>`}
      ${page.cursor !== null && html`<a class="button" href="/dead-letters?${next.toString()}" rel="next">Next page</a>`}
    </nav>
    ${
      isOperator &&
      total > page.items.length &&
      html`<section class="card everything"><h2>All ${counted(total, 'dead letter')} of this list</h2>
      <p>Not only those on this page.</p><div class="actions">${verbs(filter, session, `all ${counted(total, 'dead letter')}`)}</div></section>`
    }`
}

const selectionBar = html`<div class="selection">
        <span data-count role="status">Select dead letters</span>
        <button class="primary" name="verb" value="replay" data-needs-selection>Replay selected …</button>
        <button class="danger" name="verb" value="discard" data-needs-selection>Discard selected …</button>
      </div>`

const deadLetterRow = (
  { id, type, objectId, reason, attempts, failedAtMs }: DeadLetter,
  isOperator: boolean,
  nowMs: number,
) =>
  html`<tr>
          ${isOperator && html`<td><input type="checkbox" name="id" value="${id}" aria-label="Select ${id}"></td>`}
          <td><a href="/dead-letters/${id}"><code>${id}</code></a></td>
          <td>${type}</td>
          <td>${objectId === null ? '–' : html`<a href="/trace?id=${encodeURIComponent(objectId)}"><code>${objectId}</code></a>`}</td>
          <td><code title="${reason.message}">${reason.class}/${reason.code}</code></td>
          <td class="number">${attempts}</td>
          <td>${moment(failedAtMs, nowMs)}</td>
        </tr>`

/** How long an event lay before it was given up. */
export const lifeOf = ({ receivedAtMs, failedAtMs }: DeadLetter): string => duration(failedAtMs - receivedAtMs)
