import { type Html, html } from '@clerk-mirror/pages'
import type { Assets } from '../assets.js'
import { REFUSALS, type RefusalCode } from '../errors.js'
import { layout } from './layout.js'

const TEXTS: Partial<Readonly<Record<RefusalCode, { title: string; text: string }>>> = {
  profile_not_found: {
    title: 'No profile has this name',
    text: 'The page may have been renamed or deleted. Names are found whether they are written large or small.',
  },
  not_found: { title: 'There is nothing here', text: 'The address leads nowhere.' },
  invalid_cursor: { title: 'This link is too old', text: 'The list has changed its pages. Begin with the newest.' },
  overloaded: {
    title: 'Very many people are here',
    text: 'The page could not be shown in time. Please try again in a few seconds.',
  },
  database_unavailable: {
    title: 'A short break',
    text: 'The profiles cannot be reached at the moment. Nothing is lost; please try again in a few seconds.',
  },
}

/** A refusal for people, in the place of a page. */
export function refusalPage(assets: Assets, code: RefusalCode): Html {
  const { status, message } = REFUSALS[code]
  const { title, text } = TEXTS[code] ?? { title: 'That did not work', text: message }
  return layout(assets, {
    title,
    description: text,
    main: html`<div class="refusal">
<p class="status" aria-hidden="true">${status}</p>
<h1>${title}</h1>
<p class="lead">${text}</p>
<p><a class="button" href="/">See everyone</a></p>
</div>`,
  })
}
