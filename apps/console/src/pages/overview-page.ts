import type { ActivityPoint, DeadLetterCause, Status } from '@clerk-mirror/operations'
import { type Content, type Html, html } from '@clerk-mirror/pages'
import type { Session } from '../auth/sessions.js'
import { REFRESH_MS, SAMPLES_KEPT } from '../limits.js'
import type { Sample } from '../samples.js'
import { chart } from './chart.js'
import { clockTime, count, counted, duration, moment } from './format.js'
import { type Finding, verdictOf } from './health-findings.js'
import { layout, notice } from './layout.js'

export type Overview = {
  status: Status
  /** Null while MySQL does not answer. */
  activity: readonly ActivityPoint[] | null
  /** Null until they are counted. */
  causes: readonly DeadLetterCause[] | null
  samples: readonly Sample[]
  nowMs: number
}

/** `overview` is the page's first content; then it refreshes itself. */
export const overviewPage = (overview: Html, session: Session): Html =>
  layout({
    title: 'Overview',
    path: '/',
    session,
    body: html`<h1 class="hidden">Overview</h1><div data-live="/live/overview" data-every="${REFRESH_MS}">${overview}</div>`,
  })

export const overviewFragment = (
  view: Overview,
): Html => html`<div class="findings">${verdictOf(view.status).map(finding)}</div>
  ${view.activity === null && notice('warn', 'MySQL does not answer', 'Outcomes and lag are in its ledger, and are shown again when it does.')}
  ${tiles(view)}
  <div class="charts">${view.activity && [throughput(view.activity), lag(view.activity)]}${[backlog(view), age(view)]}</div>
  ${view.causes && view.causes.length > 0 && causeTable(view.causes, view.nowMs)}
  ${view.status.reactions.length > 0 && reactionTable(view.status.reactions)}
  <p class="hint">As of ${moment(view.nowMs, view.nowMs)}, times in UTC.</p>`

const finding = ({ tone, title, what, link }: Finding) =>
  html`<section class="notice ${tone}"><h2>${title}</h2><p>${what}</p>${link && html`<a class="button" href="${link.path}">${link.text}</a>`}</section>`

function tiles({ status, activity }: Overview): Html {
  const { queue, oldestAgeS, workers } = status
  const last = activity?.at(-2)
  const perMinute = last && Object.values(last.outcomes).reduce((sum, each) => sum + each, 0)
  const open = workers.filter(({ breaker }) => breaker !== 'closed').length
  return html`<dl class="tiles">
    ${tile('Waiting', count(queue.waiting), queue.active > 0 && `${count(queue.active)} in hand`)}
    ${tile('Oldest', oldestAgeS === 0 ? '–' : duration(oldestAgeS * 1000), 'waits or runs')}
    ${tile('Retrying', count(queue.retrying), 'wait for their next try', queue.retrying > 0 ? 'warn' : 'plain')}
    ${tile('Dead letters', count(queue.dead), byClass(status), queue.dead > 0 ? 'bad' : 'plain')}
    ${tile('Workers', count(workers.length), open > 0 ? `breaker open in ${open}` : 'breaker closed', open > 0 || workers.length === 0 ? 'bad' : 'plain')}
    ${tile('Decided', perMinute === undefined ? '–' : count(perMinute), 'in the last full minute')}
    ${tile('Lag', last?.lagMedianMs == null ? '–' : duration(last.lagMedianMs), 'median, from receipt to the table')}
  </dl>`
}

/** `poison 3, unknown 1` */
const byClass = ({ deadLettersByClass }: Status) =>
  Object.entries(deadLettersByClass)
    .filter(([, deadLetters]) => deadLetters > 0)
    .map(([name, deadLetters]) => `${name} ${count(deadLetters)}`)
    .join(', ')

const tile = (label: string, value: string, note: Content, tone = 'plain') =>
  html`<div class="tile card ${tone}"><dt>${label}</dt><dd>${value}${note && html`<small>${note}</small>`}</dd></div>`

const OUTCOMES = [
  ['applied', 'green'],
  ['stale', 'blue'],
  ['duplicate', 'violet'],
  ['tombstoned', 'amber'],
  ['ignored', 'grey'],
  ['discarded', 'red'],
  ['erased', 'red'],
] as const

function throughput(activity: readonly ActivityPoint[]): Html {
  const all = OUTCOMES.map(([name, tone]) => ({
    name,
    tone,
    values: activity.map(({ outcomes }) => outcomes[name] ?? 0),
  }))
  return chart({
    title: 'Decided per minute',
    shape: 'bars',
    series: all.filter(({ name, values }) => name === 'applied' || values.some((value) => value > 0)),
    say: count,
    placeOf: (index) => clockTime(activity[index]?.atMs ?? 0),
  })
}

const lag = (activity: readonly ActivityPoint[]) =>
  chart({
    title: 'Lag from receipt to the table',
    shape: 'lines',
    series: [
      { name: 'longest', tone: 'amber', values: activity.map(({ lagMaxMs }) => lagMaxMs) },
      { name: 'median', tone: 'green', values: activity.map(({ lagMedianMs }) => lagMedianMs) },
    ],
    say: duration,
    placeOf: (index) => clockTime(activity[index]?.atMs ?? 0),
  })

const backlog = ({ samples }: Overview) =>
  chart({
    title: 'Events in the queue',
    shape: 'lines',
    series: [{ name: 'events', tone: 'blue', values: samples.map((sample) => sample.backlog) }],
    say: (value) => counted(Math.round(value), 'event'),
    placeOf: (index) => clockTime(samples[index]?.atMs ?? 0),
    note: sinceWhen(samples),
  })

const age = ({ samples }: Overview) =>
  chart({
    title: 'Age of the oldest event',
    shape: 'lines',
    series: [{ name: 'age', tone: 'violet', values: samples.map(({ oldestMs }) => oldestMs) }],
    say: duration,
    placeOf: (index) => clockTime(samples[index]?.atMs ?? 0),
    note: sinceWhen(samples),
  })

/** These two are looked at by the console itself, so they begin with it. */
const sinceWhen = (samples: readonly Sample[]) =>
  samples.length < SAMPLES_KEPT ? 'since this console runs' : undefined

const reactionTable = (reactions: Status['reactions']) => html`<div class="table"><table>
    <caption>Reactions</caption>
    <thead><tr><th>Reaction</th><th class="number">Waiting</th><th class="number">Running</th><th class="number">Retrying</th><th class="number">Dead</th><th>Oldest</th></tr></thead>
    <tbody>${reactions.map(
      ({ reaction, queue: { waiting, active, retrying, dead }, oldestAgeS }) => html`<tr><td>${reaction}</td>
        <td class="number">${count(waiting)}</td><td class="number">${count(active)}</td><td class="number">${count(retrying)}</td>
        <td class="number">${dead === 0 ? '0' : html`<a href="/dead-letters?queue=reactions">${count(dead)}</a>`}</td>
        <td>${oldestAgeS === 0 ? '–' : duration(oldestAgeS * 1000)}</td></tr>`,
    )}</tbody></table></div>`

const causeTable = (causes: readonly DeadLetterCause[], nowMs: number) => html`<div class="table"><table>
    <caption>Dead letters by cause</caption>
    <thead><tr><th class="number">Letters</th><th>Cause</th><th>Message</th><th>First</th><th>Last</th></tr></thead>
    <tbody>${causes.map(
      (cause) => html`<tr><td class="number">${count(cause.count)}</td>
        <td><a href="/dead-letters?fingerprint=${cause.fingerprint}"><code>${cause.class}/${cause.code}</code></a></td>
        <td class="wide">${cause.message}</td><td>${moment(cause.firstFailedAtMs, nowMs)}</td><td>${moment(cause.lastFailedAtMs, nowMs)}</td></tr>`,
    )}</tbody></table></div>`
