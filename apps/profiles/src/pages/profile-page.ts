import { type Html, html } from '@clerk-mirror/pages'
import type { Assets } from '../assets.js'
import { BLOCK_TYPES, CUSTOM, isBlockType } from '../block-types.js'
import type { PublicBlock, PublicProfile } from '../public-profile.js'
import { avatar, tintOf } from './avatar.js'
import { icon } from './icons.js'
import { layout } from './layout.js'

export const pathOf = (username: string): string => `/@${encodeURIComponent(username.toWellFormed())}`

export function profilePage(assets: Assets, profile: PublicProfile): Html {
  const { username, displayName, tagline, imgUrl, blocks } = profile
  const name = displayName ?? username
  return layout(assets, {
    title: `${name} (@${username})`,
    description: tagline ?? `The page of ${name}.`,
    imageUrl: imgUrl,
    main: html`<article class="profile ${tintOf(username)}">
${avatar(profile, 'large')}
<h1 dir="auto">${name}</h1>
<p class="handle" dir="auto">@${username}</p>
${tagline && html`<p class="tagline" dir="auto">${tagline}</p>`}
${blocks.length === 0 ? html`<p class="none">No links yet.</p>` : html`<ul class="links">${blocks.map(link)}</ul>`}
</article>`,
  })
}

/** `ugc` and `nofollow`: a user's link is no recommendation of its target by this site. */
const link = (block: PublicBlock): Html => html`<li>
<a class="card link" href="${block.url}" rel="noopener nofollow ugc">
${icon(block.type)}<span class="label" dir="auto">${block.label || nameOf(block)}</span>
</a>
</li>`

const nameOf = ({ type, url }: PublicBlock): string =>
  isBlockType(type) && type !== CUSTOM ? BLOCK_TYPES[type] : new URL(url).hostname
