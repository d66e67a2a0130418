import { type EventTrace, type ObjectTrace, type Trace, versionTime } from '@clerk-mirror/operations'
import { type Html, html } from '@clerk-mirror/pages'
import type { Session } from '../auth/sessions.js'
import { counted, duration, moment, utc } from './format.js'
import { layout, notice } from './layout.js'
import { COMPARISONS, stepInWords, traceLink, where } from './trace-words.js'

export type TraceView = { session: Session; id: string; trace: Trace | null; nowMs: number }

/** The whole story of one event or one object, from queue, ledger and tables. */
export function tracePage({ session, id, trace, nowMs }: TraceView): Html {
  const title = id === '' ? 'Find an event or an object' : id
  const body = html`<h1>${id === '' ? title : html`<code>${id}</code>`}</h1>
    ${id === '' ? searchHelp : trace === null ? unknown : trace.kind === 'event' ? eventStory(trace, nowMs) : objectStory(trace, nowMs)}`
  return layout({ title, path: '/trace', session, body })
}

const searchHelp = html`<p class="lead">Type an id into the box above: an event's, such as <code>msg_2bYZ…</code>, as Clerk's dashboard
  shows it, or an object's, such as <code>user_2bYZ…</code>. The key <kbd>/</kbd> leads there.</p>`

const unknown = notice(
  'plain',
  'Unknown id',
  'Neither queue nor ledger nor tables have it.',
  'An event of Clerk’s that is not here was refused: see the log of ingest (event.refused), and the delivery in Clerk’s dashboard.',
)

function eventStory(trace: EventTrace, nowMs: number): Html {
  const { id, type, objectId, source, attempts, reason, lagMs, comparison, version, storedVersion } = trace
  return html`<p class="lead">${where(trace)}</p>
    <dl class="facts">
      <dt>Type</dt><dd>${type}</dd>
      <dt>Object</dt><dd>${objectId === null ? '–' : traceLink(objectId)}</dd>
      <dt>Tries</dt><dd>${attempts}</dd>
      <dt>Lag</dt><dd>${lagMs === null ? 'not decided yet' : `${duration(lagMs)} from receipt to the table`}</dd>
      <dt>Source</dt><dd>${source}</dd>
      ${reason && html`<dt>Last failure</dt><dd><code>${reason.class}/${reason.code}</code> ${reason.message}</dd>`}
      <dt>Stored object</dt><dd>${COMPARISONS[comparison]}</dd>
      ${version && html`<dt>Its version</dt><dd>${versionText(version)}</dd>`}
      ${storedVersion && html`<dt>Stored version</dt><dd>${versionText(storedVersion)}${storedVersion.eventId !== id && html`, of ${traceLink(storedVersion.eventId)}`}</dd>`}
    </dl>
    ${trace.where === 'dead' && html`<p class="actions"><a class="button" href="/dead-letters/${encodeURIComponent(id)}">The dead letter</a></p>`}
    ${reactionsTo(trace)}
    <h2>History</h2>${steps(trace, nowMs)}`
}

function reactionsTo({ reactions }: EventTrace): Html {
  if (reactions.length === 0) return html``
  return html`<div class="table"><table><caption>Reactions that are not done</caption>
      <thead><tr><th>Reaction</th><th>To</th><th>Where</th><th class="number">Tries</th><th>Last failure</th></tr></thead>
      <tbody>${reactions.map(
        ({ reaction, objectId, id, where, attempts, reason }) => html`<tr>
          <td>${where === 'dead' && id !== null ? html`<a href="/dead-letters/${id}">${reaction}</a>` : reaction}</td>
          <td>${traceLink(objectId)}</td><td>${where}</td><td class="number">${attempts}</td>
          <td>${reason ? html`<code>${reason.class}/${reason.code}</code>` : '–'}</td></tr>`,
      )}</tbody></table></div>`
}

const versionText = ({ updatedAtMs, timestampMs }: { updatedAtMs: number; timestampMs: number }) =>
  html`changed ${precise(updatedAtMs)}, sent ${precise(timestampMs)}`

/** To the millisecond, for it decides which of two is newer. */
const precise = (atMs: number) => html`<code>${versionTime(atMs)}</code>`

const steps = ({ steps }: Trace, nowMs: number) =>
  html`<ol class="steps">${steps.map(
    (step) => html`<li>${stepInWords(step)}<br>${utc(step.atMs)} · ${moment(step.atMs, nowMs)}</li>`,
  )}</ol>`

const STATES: Readonly<Record<ObjectTrace['state'], string>> = {
  stored: 'It is in the tables.',
  deleted: 'It is deleted, for good: a tombstone keeps later events from bringing it back.',
  stub: 'Something names it, and nothing has come of it itself yet.',
  'nothing-stored': 'Nothing is stored of it.',
}

function objectStory(trace: ObjectTrace, nowMs: number): Html {
  const { objectKind, state, version, isFarAhead, userId, organizationId, syncedAtMs, deletedAtMs, deletedBy } = trace
  return html`<p class="lead">${objectKind && html`<strong>${objectKind}</strong>. `}${STATES[state]}</p>
    ${isFarAhead && notice('warn', 'A version far in the future', 'Nothing that Clerk sends of it is newer until then, so it stays as it is.', `Release it with: npm run -s ops -- versions release ${trace.id}`)}
    <dl class="facts">
      ${version && html`<dt>Version</dt><dd>${versionText(version)}, of ${traceLink(version.eventId)}</dd>`}
      ${syncedAtMs !== null && html`<dt>Last written</dt><dd>${utc(syncedAtMs)}</dd>`}
      ${deletedAtMs !== null && html`<dt>Deleted</dt><dd>${utc(deletedAtMs)}${deletedBy !== null && `, by ${deletedBy}`}</dd>`}
      ${userId !== null && html`<dt>User</dt><dd>${traceLink(userId)}</dd>`}
      ${organizationId !== null && html`<dt>Organization</dt><dd>${traceLink(organizationId)}</dd>`}
    </dl>
    ${queued(trace, nowMs)}
    ${events(trace, nowMs)}
    ${trace.steps.length > 0 && html`<h2>By operators</h2>${steps(trace, nowMs)}`}`
}

function queued({ queued: list, isQueueSearched }: ObjectTrace, nowMs: number): Html {
  const unsure = !isQueueSearched && html`<p class="hint">The queue is long and was not searched to its end.</p>`
  if (list.length === 0) return html`${unsure}`
  return html`<div class="table"><table><caption>${counted(list.length, 'event')} in the queue</caption>
      <thead><tr><th>Event</th><th>Type</th><th>Where</th><th class="number">Tries</th><th>Received</th></tr></thead>
      <tbody>${list.map(
        (event) => html`<tr><td>${traceLink(event.id)}</td><td>${event.type}</td><td>${event.where}</td>
          <td class="number">${event.attempts}</td><td>${moment(event.receivedAtMs, nowMs)}</td></tr>`,
      )}</tbody></table></div>${unsure}`
}

function events({ events: list }: ObjectTrace, nowMs: number): Html {
  if (list.length === 0) return html`<p class="hint">The ledger has no event of it.</p>`
  return html`<div class="table"><table><caption>Events that were decided, newest first</caption>
      <thead><tr><th>Event</th><th>Type</th><th>Outcome</th><th class="number">Tries</th><th>Received</th><th>Decided after</th></tr></thead>
      <tbody>${list.map(
        (event) => html`<tr><td>${traceLink(event.id)}</td><td>${event.type}</td><td>${event.outcome}</td>
          <td class="number">${event.attempts}</td><td>${moment(event.receivedAtMs, nowMs)}</td>
          <td>${duration(event.decidedAtMs - event.receivedAtMs)}</td></tr>`,
      )}</tbody></table></div>`
}
