import { type Html, html } from '@clerk-mirror/pages'
import type { Session } from '../auth/sessions.js'
import { REFUSALS, type Refusal } from '../errors.js'
import { layout, notice } from './layout.js'

/** For a page that refreshes a part of itself: it shows this above its last content. */
export function refusalFragment({ code, detail }: Refusal): Html {
  const { title, message } = REFUSALS[code]
  return html`<h2>${title}</h2><p>${detail ?? message}</p>`
}

/** `url` is where to try again; null where that would send a form again. */
export function refusalPage({ code, detail }: Refusal, url: string | null, session: Session | null): Html {
  const { title, message, status } = REFUSALS[code]
  const body = html`${notice('bad', title, message, detail)}
    <p class="actions">${status === 503 && url !== null && html`<a class="button" href="${url}" data-come-back>Try again</a>`}
      <a class="button" href="/">To the overview</a></p>`
  return layout({ title, path: '', session, body })
}
