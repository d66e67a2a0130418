import type { DeadLetterQueue } from '@clerk-mirror/operations'
import { type Html, html } from '@clerk-mirror/pages'
import type { DeadLetterDetails, UndecryptedBody } from '@clerk-mirror/queue/operate'
import type { Session } from '../auth/sessions.js'
import { type FilterText, queryOf } from '../dead-letter-filter.js'
import { hiddenFields, lifeOf } from './dead-letters-page.js'
import { utc } from './format.js'
import { formKey, layout } from './layout.js'
import { readablePayload, redactPayload } from './redact.js'

export type DeadLetterView = {
  session: Session
  deadLetter: DeadLetterDetails
  queue: DeadLetterQueue
  showsPayload: boolean
}

/** One dead letter: its cause, its fields, and its payload with personal data hidden until revealed. */
export function deadLetterPage({ session, deadLetter, queue, showsPayload }: DeadLetterView): Html {
  const isEvent = queue === 'events'
  const queueText = isEvent ? {} : { queue }
  const { id, type, objectId, reason, attempts, envelope, stack, receivedAtMs, failedAtMs } = deadLetter
  const body = html`<p class="crumbs"><a href="/dead-letters?${queryOf(queueText).toString()}">Dead letters${!isEvent && ' of reactions'}</a></p>
    <h1><code>${id}</code></h1>
    <section class="notice bad"><h2><code>${reason.class}/${reason.code}</code></h2><p>${reason.message}</p></section>
    <dl class="facts">
      <dt>${isEvent ? 'Type' : 'Reaction'}</dt><dd>${type}</dd>
      <dt>Object</dt><dd>${objectId === null ? '–' : html`<a href="/trace?id=${encodeURIComponent(objectId)}"><code>${objectId}</code></a>`}</dd>
      <dt>Received</dt><dd>${utc(receivedAtMs)}</dd>
      <dt>Given up</dt><dd>${utc(failedAtMs)}, after ${lifeOf(deadLetter)}</dd>
      <dt>Tries</dt><dd>${attempts}</dd>
      <dt>Source</dt><dd>${envelope?.source ?? '–'}</dd>
      <dt>Instance</dt><dd>${envelope?.instanceId ?? '–'}</dd>
      <dt>Cause</dt><dd><a href="/dead-letters?${queryOf({ ...queueText, fingerprint: reason.fingerprint }).toString()}">all with fingerprint <code>${reason.fingerprint}</code></a></dd>
    </dl>
    <div class="actions">
      ${isEvent && html`<a class="button" href="/trace?id=${encodeURIComponent(id)}">Trace</a>`}
      ${session.account.role === 'operator' && verbs({ ...queueText, ids: [id] }, session)}
    </div>
    <h2>Payload</h2>
    ${payload(deadLetter, session, showsPayload)}
    ${stack !== null && html`<h2>Where it failed</h2><pre>${stack}</pre>`}`
  return layout({ title: id, path: '/dead-letters', session, body })
}

const verbs = (deadLetters: FilterText, session: Session) => html`<form method="post" action="/dead-letters/confirm">
        ${formKey(session)}${hiddenFields(deadLetters)}
        <button class="primary" name="verb" value="replay">Replay …</button>
        <button class="danger" name="verb" value="discard">Discard …</button>
      </form>`

function payload({ id, envelope }: DeadLetterDetails, session: Session, isShown: boolean): Html {
  if (envelope === null)
    return html`<p>This job holds no event: something else put it into the queue, or its body is lost.</p>`
  const { body } = envelope
  if (typeof body !== 'string') return sealedPayload(body)
  if (isShown)
    return html`<p class="hint">Shown as it came. That you looked is in the audit.</p><pre>${readablePayload(body)}</pre>`
  return html`<form class="actions" method="post" action="/dead-letters/${id}/payload">
      ${formKey(session)}
      <span class="hint">Personal data is hidden.</span>
      <button>Show all of it (goes into the audit)</button>
    </form>
    <pre>${JSON.stringify(redactPayload(body), undefined, 2)}</pre>`
}

const sealedPayload = ({ keyId, fault }: UndecryptedBody) =>
  fault === 'key-missing'
    ? html`<p>Encrypted with the key <code>${keyId}</code>, which this console does not have. It can be replayed and discarded all the same.</p>`
    : html`<p>Encrypted with the key <code>${keyId}</code>, and not as it was stored: no key opens it.</p>`
