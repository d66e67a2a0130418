import { type Content, type Html, html } from '@clerk-mirror/pages'
import type { Session } from '../auth/sessions.js'

export type Page = { title: string; path: string; session: Session | null; body: Content }

const PLACES = [
  { path: '/', label: 'Overview' },
  { path: '/dead-letters', label: 'Dead letters' },
  { path: '/workers', label: 'Workers' },
  { path: '/audit', label: 'Audit' },
  { path: '/queue/', label: 'Queue' },
]

/** A whole page with head, navigation and main part. */
export const layout = ({ title, path, session, body }: Page): Html => html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta name="robots" content="noindex">
    <title>${title} · clerk-mirror</title>
    <link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
    <link rel="stylesheet" href="/assets/console.css">
    <script src="/assets/console.js" defer></script>
  </head>
  <body>
    <a class="skip" href="#main">Skip to the content</a>
    ${session && header(path, session)}
    <div id="trouble" class="trouble" role="alert" hidden></div>
    <main id="main" tabindex="-1">${body}</main>
  </body>
</html>
`

const header = (path: string, session: Session) => html`<header class="bar">
      <a class="brand" href="/"><img src="/assets/icon.svg" alt="" width="22" height="22"> clerk-mirror</a>
      <nav aria-label="Console">${PLACES.map((place) => link(place, path))}</nav>
      <form class="search" action="/trace" role="search">
        <label class="hidden" for="search">Find an event or an object</label>
        <input id="search" type="search" name="id" placeholder="msg_…  user_…" autocomplete="off" spellcheck="false" required>
      </form>
      <form class="who" method="post" action="/sign-out">
        ${formKey(session)}
        <span><strong>${session.account.name}</strong> <span class="role">${session.account.role}</span></span>
        <button class="quiet">Sign out</button>
      </form>
    </header>`

const link = ({ path, label }: (typeof PLACES)[number], current: string) =>
  path === current ? html`<a href="${path}" aria-current="page">${label}</a>` : html`<a href="${path}">${label}</a>`

/** Goes into every form of a page: see formOf. */
export const formKey = (session: Session): Html =>
  html`<input type="hidden" name="form_key" value="${session.formKey}">`

export type Tone = 'good' | 'warn' | 'bad' | 'plain'

/** A box with one message and its remedy. */
export const notice = (tone: Tone, title: Content, ...text: Content[]): Html =>
  html`<section class="notice ${tone}"><h2>${title}</h2>${text.map((paragraph) => paragraph && html`<p>${paragraph}</p>`)}</section>`
