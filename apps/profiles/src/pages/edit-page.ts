import { type Html, html } from '@clerk-mirror/pages'
import type { Assets } from '../assets.js'
import { BLOCK_TYPES } from '../block-types.js'
import type { PublishableKey } from '../clerk-keys.js'
import { BLOCKS_MAX, LABEL_MAX, TAGLINE_MAX, URL_MAX } from '../limits.js'
import { layout } from './layout.js'

/** The major versions that @clerk/backend 3 belongs with; Clerk serves the newest of each. */
const CLERK_SCRIPTS = ['@clerk/ui@1/dist/ui.browser.js', '@clerk/clerk-js@6/dist/clerk.browser.js']

export type EditPage = { publishableKey: PublishableKey | undefined; canVerify: boolean }

/** The page on which people edit their own profile, or the settings that it still needs. */
export function editPage(assets: Assets, { publishableKey, canVerify }: EditPage): Html {
  const isSetUp = publishableKey !== undefined && canVerify
  return layout(assets, {
    title: 'Your profile',
    description: 'Edit your tagline and your links.',
    scripts: isSetUp && scripts(assets, publishableKey),
    main: html`<div class="narrow">${isSetUp ? editor() : setUp(publishableKey !== undefined, canVerify)}</div>`,
  })
}

const scripts = (assets: Assets, { key, frontendApi }: PublishableKey): Html =>
  html`${CLERK_SCRIPTS.map(
    (path) => html`<script defer crossorigin="anonymous" data-clerk-publishable-key="${key}" src="https://${
      frontendApi
    }/npm/${path}"></script>
`,
  )}<script defer src="${assets['edit.js'].path}"></script>`

const setUp = (hasPublishableKey: boolean, hasJwtKey: boolean): Html => html`<h1>Connect Clerk to edit</h1>
<p class="lead">Pages are read without signing in. To write one’s own, people sign in with your Clerk application.</p>
<div class="card steps">
<ol>
<li>Open <a href="https://dashboard.clerk.com/~/api-keys" rel="noopener">API keys in the Clerk dashboard</a>.</li>
<li>${mark(hasPublishableKey)} Put the <em>publishable key</em> into <code>.env</code>:
<pre><code>CLERK_PUBLISHABLE_KEY=pk_test_…</code></pre></li>
<li>${mark(hasJwtKey)} And the <em>JWKS public key</em> in PEM form, in quotes:
<pre><code>CLERK_JWT_KEY="-----BEGIN PUBLIC KEY-----
…
-----END PUBLIC KEY-----"</code></pre></li>
<li>Start again, and come back to this page.</li>
</ol>
</div>`

const mark = (isDone: boolean): Html | false => isDone && html`<span class="done">Done.</span>`

const editor = (): Html => html`<h1>Your profile</h1>
<noscript><p class="notice">Signing in and editing need JavaScript. Reading does not.</p></noscript>
<p id="state" class="notice" role="status">Loading …</p>
<section id="sign-in" aria-label="Sign in" hidden></section>
<form id="editor" class="card" novalidate hidden>
<div class="account"><p id="page"></p><div id="account"></div></div>
<label for="tagline">Tagline</label>
<input id="tagline" name="tagline" maxlength="${TAGLINE_MAX}" autocomplete="off" aria-describedby="tagline-error">
<p class="error" id="tagline-error" data-path="tagline"></p>
<fieldset>
<legend>Links</legend>
<p class="error" data-path="blocks"></p>
<ol id="blocks"></ol>
<button type="button" class="quiet" id="add" data-most="${BLOCKS_MAX}">Add a link</button>
</fieldset>
<p class="actions"><button type="submit" id="save">Save</button><span id="saved" role="status"></span></p>
</form>
<template id="block">
<li class="block">
<label>Kind <select name="type">${Object.entries(BLOCK_TYPES).map(
  ([type, name]) => html`<option value="${type}">${name}</option>`,
)}</select></label>
<label>Label <input name="label" maxlength="${LABEL_MAX}" autocomplete="off" placeholder="as its kind"></label>
<label class="wide">Address <input name="url" type="url" inputmode="url" maxlength="${URL_MAX}" placeholder="https://"></label>
<p class="error wide" data-field="error"></p>
<div class="moves wide">
<button type="button" class="quiet" data-move="up">Up</button>
<button type="button" class="quiet" data-move="down">Down</button>
<button type="button" class="quiet" data-move="out">Remove</button>
</div>
</li>
</template>`
