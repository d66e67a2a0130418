import type { Comparison, EventTrace, TraceStep } from '@clerk-mirror/operations'
import { type Content, type Html, html } from '@clerk-mirror/pages'

export const traceLink = (id: string): Html =>
  html`<a href="/trace?id=${encodeURIComponent(id)}"><code>${id}</code></a>`

/** Where an event is now, as a sentence. */
export function where({ where: place, outcome }: EventTrace): Html {
  const { tone, word, text } = place === 'decided' ? decided(outcome ?? 'unknown') : PLACES[place]
  return html`<span class="badge ${tone}">${word}</span> ${text}`
}

type Words = { tone: string; word: string; text: string }

const PLACES: Readonly<Record<Exclude<EventTrace['where'], 'decided'>, Words>> = {
  waiting: { tone: 'plain', word: 'waiting', text: 'It waits for a worker.' },
  active: { tone: 'plain', word: 'running', text: 'A worker has it.' },
  retrying: { tone: 'warn', word: 'retrying', text: 'A try failed; it waits for its next one.' },
  dead: { tone: 'bad', word: 'dead letter', text: 'It was given up, and waits for an operator.' },
}

const OUTCOMES: Readonly<Record<string, string>> = {
  applied: 'It is in the tables.',
  stale: 'Something newer was there already; it changed nothing.',
  duplicate: 'It had been decided before; it changed nothing.',
  tombstoned: 'Its object is deleted; it changed nothing.',
  ignored: 'Its kind is not mirrored (MIRROR_KINDS).',
  discarded: 'An operator discarded it.',
  erased: 'It was erased with the person it is about.',
}

const decided = (outcome: string): Words => ({
  tone: outcome === 'applied' ? 'good' : 'plain',
  word: outcome,
  text: OUTCOMES[outcome] ?? 'It is decided.',
})

/** An event's version against the stored version of its object. */
export const COMPARISONS: Readonly<Record<Comparison, string>> = {
  'is-stored': 'This very event is the stored version.',
  newer: 'Something older: this event would replace it.',
  older: 'Something newer: this event would change nothing.',
  deleted: 'A tombstone: nothing brings the object back.',
  'nothing-stored': 'Nothing yet.',
  unknown: 'It cannot be told any more: the ledger keeps no payloads.',
}

export function stepInWords(step: TraceStep): Content {
  switch (step.kind) {
    case 'received':
      return 'Received, and durable from then on'
    case 'queued':
      return 'Began to wait'
    case 'started':
      return 'Taken by a worker'
    case 'due':
      return 'Is due for its next try'
    case 'given-up':
      return html`Given up: <code>${step.reason.class}/${step.reason.code}</code> ${step.reason.message}`
    case 'decided':
      return html`Decided: <strong>${step.outcome}</strong>`
    case 'operator':
      return html`${step.actor}: ${step.action}`
  }
}
