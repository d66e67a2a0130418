import { type Html, html } from '@clerk-mirror/pages'
import { layout } from './layout.js'

/** `problem` says why the last try did not succeed; `next` is where to go afterwards. */
export const signInPage = ({ problem, next }: { problem?: string; next: string }): Html =>
  layout({
    title: 'Sign in',
    path: '/sign-in',
    session: null,
    body: html`<form class="sign-in card" method="post" action="/sign-in">
      <img src="/assets/icon.svg" alt="" width="44" height="44">
      <h1>clerk-mirror console</h1>
      ${problem && html`<p class="problem" role="alert">${problem}</p>`}
      <label for="token">Your token</label>
      <input id="token" type="password" name="token" autocomplete="current-password" required autofocus>
      <input type="hidden" name="next" value="${next}">
      <button class="primary">Sign in</button>
      <p class="hint">Tokens are in the setting <code>CONSOLE_TOKEN</code> of the console's process. <code>npm start</code>
        makes one up and prints it.</p>
    </form>`,
  })
