import type { Status } from '@clerk-mirror/operations'
import { type Html, html } from '@clerk-mirror/pages'
import type { Session } from '../auth/sessions.js'
import { REFRESH_MS } from '../limits.js'
import { count, counted, moment } from './format.js'
import { layout, notice } from './layout.js'

export const workersPage = (fragment: Html, session: Session): Html =>
  layout({
    title: 'Workers',
    path: '/workers',
    session,
    body: html`<h1>Workers</h1><div data-live="/live/workers" data-every="${REFRESH_MS}">${fragment}</div>`,
  })

/** Workers that were alive within the last seconds: each says so in Redis. */
export function workersFragment({ workers }: Status, nowMs: number): Html {
  if (workers.length === 0) {
    return notice('bad', 'No worker is alive', 'Events wait until one is: npm run start:worker. They do not get lost.')
  }
  return html`<p class="lead">${counted(workers.length, 'worker')} alive. One that dies is gone from here within seconds, and others have its events within 15.</p>
    <div class="table"><table>
      <caption class="hidden">Workers alive</caption>
      <thead><tr><th>Host</th><th class="number">Process</th><th>Running since</th><th>Breaker</th><th class="number">Events in hand</th><th>Release</th></tr></thead>
      <tbody>${workers.map(
        ({ host, pid, startedAtMs, breaker, held, settings }) => html`<tr><td>${host}</td><td class="number">${pid}</td>
          <td>${moment(startedAtMs, nowMs)}</td><td>${breakerBadge(breaker)}</td><td class="number">${count(held)}</td>
          <td>${settings?.version ?? '–'}</td></tr>`,
      )}</tbody></table></div>
    <p class="hint">The breaker of a worker opens when it cannot write to MySQL: it then holds its events and retries by itself.</p>`
}

const breakerBadge = (state: string) =>
  html`<span class="badge ${state === 'closed' ? 'good' : state === 'open' ? 'bad' : 'warn'}">${state}</span>`
