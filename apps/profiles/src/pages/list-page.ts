import { type Html, html } from '@clerk-mirror/pages'
import type { Assets } from '../assets.js'
import type { PublicSummary } from '../public-profile.js'
import { avatar } from './avatar.js'
import { layout } from './layout.js'
import { pathOf } from './profile-page.js'

export type ListPage = { profiles: readonly PublicSummary[]; next: string | null; isFirst: boolean }

export const listPage = (assets: Assets, { profiles, next, isFirst }: ListPage): Html =>
  layout(assets, {
    title: 'Profiles',
    description: 'Everybody’s page, newest first.',
    main: html`<h1>${isFirst ? 'Say hello to everyone' : 'A little earlier'}</h1>
<p class="lead">${isFirst ? 'One page each, with all their links. The newest come first.' : 'Earlier profiles.'}</p>
${profiles.length === 0 ? nobody(isFirst) : html`<ul class="people">${profiles.map(person)}</ul>`}
${pages(next, isFirst)}`,
  })

const person = (profile: PublicSummary): Html => html`<li>
<a class="card person" href="${pathOf(profile.username)}">
${avatar(profile, 'small')}
<span class="who">
<strong dir="auto">${profile.displayName ?? profile.username}</strong>
<span class="handle" dir="auto">@${profile.username}</span>
${profile.tagline && html`<span class="tagline" dir="auto">${profile.tagline}</span>`}
</span>
</a>
</li>`

const nobody = (isFirst: boolean): Html => html`<div class="card empty">
<p><strong>${isFirst ? 'No profiles yet.' : 'No more profiles.'}</strong></p>
<p>People appear here by themselves, moments after they have signed up and chosen a username.</p>
</div>`

const pages = (next: string | null, isFirst: boolean): Html | false =>
  (next !== null || !isFirst) &&
  html`<nav class="pages" aria-label="Pages">
${isFirst ? html`<span></span>` : html`<a class="button quiet" href="/">Newest</a>`}
${next !== null && html`<a class="button quiet" rel="next" href="/?cursor=${next}">Earlier</a>`}
</nav>`
