import { type Content, type Html, html } from '@clerk-mirror/pages'
import type { Assets } from '../assets.js'

export type Page = {
  title: string
  description: string
  main: Content
  /** Of the picture that others show beside a link to this page. */
  imageUrl?: string | null
  /** Scripts at the end of the head; only the editor has some. */
  scripts?: Content
}

const SITE = 'Profiles'

/** A whole document: landmarks, one style sheet, and no script of its own. */
export const layout = (
  assets: Assets,
  { title, description, main, imageUrl, scripts }: Page,
): Html => html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title === SITE ? SITE : `${title} · ${SITE}`}</title>
<meta name="description" content="${description}">
<meta name="color-scheme" content="light dark">
<meta property="og:title" content="${title}">
<meta property="og:description" content="${description}">
${imageUrl && html`<meta property="og:image" content="${imageUrl}">`}
<link rel="icon" href="${assets['icon.svg'].path}" type="image/svg+xml">
<link rel="stylesheet" href="${assets['profiles.css'].path}">
${scripts}
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="top">
<a class="brand" href="/"><img src="${assets['icon.svg'].path}" alt="" width="28" height="28">${SITE}</a>
<nav aria-label="Main"><a class="button quiet" href="/edit">Your profile</a></nav>
</header>
<main id="main">
${main}
</main>
<footer class="bottom">
<p>Served from MySQL. Kept true by Clerk’s webhooks. <a href="/openapi.json">API</a></p>
</footer>
</body>
</html>
`
