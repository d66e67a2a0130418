import { type Html, html } from '@clerk-mirror/pages'

/** Colours of the style sheet, `tint-0` and so on. */
const TINTS = 8

/** The same person has the same colour everywhere, picture or not. */
export const tintOf = (username: string): string => {
  const sum = [...username.toLowerCase()].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % 9973, 7)
  return `tint-${sum % TINTS}`
}

const initialsOf = (name: string): string =>
  name
    .split(/\s+/)
    .slice(0, 2)
    .map((word) => Array.from(word)[0] ?? '')
    .join('')
    .toUpperCase()

/**
 * The picture lies over the initials, so that one that is still on its way, or does not come, leaves them to be seen.
 * It carries them too, for the style sheet to put over the torn picture that browsers draw; no script is needed.
 */
export const avatar = (
  { username, displayName, imgUrl }: { username: string; displayName: string | null; imgUrl: string | null },
  size: 'small' | 'large',
): Html => {
  const initials = initialsOf(displayName ?? username)
  const picture =
    imgUrl &&
    html`<img src="${imgUrl}" alt="" data-initials="${initials}" decoding="async" loading="${
      size === 'large' ? 'eager' : 'lazy'
    }" referrerpolicy="no-referrer">`
  return html`<span class="avatar ${size} ${tintOf(username)}" aria-hidden="true"><span>${initials}</span>${picture}</span>`
}
