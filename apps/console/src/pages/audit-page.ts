import type { OperatorAction, Page } from '@clerk-mirror/operations'
import { type Html, html } from '@clerk-mirror/pages'
import type { Session } from '../auth/sessions.js'
import { count, moment, utc } from './format.js'
import { layout, notice } from './layout.js'

export type AuditView = { session: Session; page: Page<OperatorAction>; isFirstPage: boolean; nowMs: number }

/** Operators' actions, in the console or with the command, newest first. */
export function auditPage({ session, page, isFirstPage, nowMs }: AuditView): Html {
  const body = html`<h1>Audit</h1>
    <p class="lead">Operators’ actions, here and with the command <code>clerk-mirror</code>, newest first.</p>
    ${
      page.items.length === 0
        ? notice(
            'plain',
            isFirstPage ? 'Nothing yet' : 'Nothing older',
            'Replays, discards, looks at payloads, erasures and rebuilds stand here.',
          )
        : html`<div class="table"><table>
      <caption class="hidden">Actions of operators</caption>
      <thead><tr><th>When</th><th>Who</th><th>What</th><th>Selection</th><th>How many</th></tr></thead>
      <tbody>${page.items.map((action) => row(action, nowMs))}</tbody></table></div>`
    }
    <nav class="pages" aria-label="Pages">
      ${!isFirstPage && html`<a class="button" href="/audit">Newest</a>`}
      ${page.cursor !== null && html`<a class="button" href="/audit?cursor=${encodeURIComponent(page.cursor)}" rel="next">Older</a>`}
    </nav>`
  return layout({ title: 'Audit', path: '/audit', session, body })
}

const row = (
  { atMs, actor, action, subjectId, details, counts, finishedAtMs }: OperatorAction,
  nowMs: number,
) => html`<tr>
        <td>${utc(atMs)}<br><span class="hint">${moment(atMs, nowMs)}</span></td><td>${actor}</td><td>${action}</td>
        <td class="wide">${subjectId !== null && html`<a href="/trace?id=${encodeURIComponent(subjectId)}"><code>${subjectId}</code></a> `}${details !== null && html`<code>${details}</code>`}</td>
        <td class="wide">${inWords(counts)}${finishedAtMs === null && html` <span class="badge warn">not finished</span>`}</td></tr>`

const inWords = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts)
    .map(([name, value]) => `${count(value)} ${name}`)
    .join(', ')
