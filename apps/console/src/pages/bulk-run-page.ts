import { type Html, html } from '@clerk-mirror/pages'
import type { Session } from '../auth/sessions.js'
import { REFUSALS } from '../errors.js'
import type { Run } from '../runs.js'
import { count, counted } from './format.js'
import { formKey, layout, notice } from './layout.js'

/** A replay or discard while it runs, and afterwards. */
export const runPage = (run: Run, session: Session): Html =>
  layout({
    title: TITLES[run.verb].doing,
    path: '/dead-letters',
    session,
    body: html`<h1>${TITLES[run.verb].doing}</h1>
      <div data-live="/live/runs/${run.id}" data-every="700">${runFragment(run, session)}</div>`,
  })

const TITLES = {
  replay: { doing: 'Replay', done: 'replayed' },
  discard: { doing: 'Discard', done: 'discarded' },
}

export function runFragment(run: Run, session: Session): Html {
  const { state, verb, done, of } = run
  if (state.kind === 'running') {
    return html`<label class="progress">${of === 0 ? 'Counting …' : `${count(done)} of ${counted(of, 'dead letter')}`}
        <progress ${of > 0 && html`value="${done}" max="${of}"`}></progress></label>
      <form method="post" action="/runs/${run.id}/stop">${formKey(session)}<button>Stop here</button></form>
      <noscript><p><a href="/runs/${run.id}">Look again</a></p></noscript>`
  }
  return html`<div data-done>${result(run)}
      <p class="actions"><a class="button" href="/dead-letters">To the dead letters</a>
        <a class="button" href="/">To the overview</a> <a class="button" href="/audit">Audit</a></p></div>`

  function result({ state }: Run): Html {
    const { done: participle } = TITLES[verb]
    switch (state.kind) {
      case 'done': {
        const { matched, changed, skipped } = state
        return notice(
          'good',
          html`<span role="status">${counted(changed, 'dead letter')} ${participle}</span>`,
          html`${count(matched)} matched, ${count(changed)} ${participle}, ${count(skipped)} skipped.`,
          skipped > 0 && 'Skipped ones had left the dead letters before their turn.',
          verb === 'replay' && 'They wait in the queue now. Those with an unmended cause will come back here.',
        )
      }
      case 'failed': {
        const { title, message } = REFUSALS[state.refusal.code]
        return notice(
          'bad',
          title,
          state.refusal.detail ?? message,
          `${count(done)} were ${participle} before. Do it again for the rest.`,
        )
      }
      default:
        return notice(
          'warn',
          'Stopped',
          `${count(done)} of ${counted(of, 'dead letter')} were ${participle}. Do it again for the rest.`,
        )
    }
  }
}
