import { type Html, html } from '@clerk-mirror/pages'
import { type BlockType, CUSTOM, isBlockType } from '../block-types.js'

/** Drawn for this project, in strokes on a field of 24 by 24: hints of the marks, not the marks themselves. */
const STROKES: Readonly<Record<BlockType, Html>> = {
  1: html`<path d="M5 4l14 16M19 4L5 20"/>`,
  2: html`<circle cx="12" cy="12" r="3.5"/><path d="M15.5 8.5v5a2.5 2.5 0 0 0 5 0V12a8.5 8.5 0 1 0-3.4 6.8"/>`,
  3: html`<path d="M16 3.5h-2a4 4 0 0 0-4 4V21M6.5 12.5H15"/>`,
  4: html`<rect x="3.5" y="3.5" width="17" height="17" rx="5"/><circle cx="12" cy="12" r="4"/><path d="M17 7h.01"/>`,
  5: html`<path d="M4.5 3.5h15v10l-4 4H12L8.5 21v-3.5h-4zM11 7.5v4.5M15.5 7.5v4.5"/>`,
  6: html`<path d="M7.5 5.5c3-1 6-1 9 0 2.5 3.5 4 7.5 4 11.5-1.5 1.3-3 2-4.5 2.3l-1-2M7.5 5.5C5 9 3.5 13 3.5 17c1.5 1.3 3 2 4.5 2.3l1-2M7 16.5c3.3 1.3 6.7 1.3 10 0M9.3 12h.01M14.7 12h.01"/>`,
  999: html`<path d="M10 14a4.5 4.5 0 0 0 6.4 0l3-3a4.5 4.5 0 0 0-6.4-6.4l-1 1M14 10a4.5 4.5 0 0 0-6.4 0l-3 3a4.5 4.5 0 0 0 6.4 6.4l1-1"/>`,
}

export const icon = (type: number): Html =>
  html`<svg class="icon" viewBox="0 0 24 24" width="22" height="22" aria-hidden="true">${
    STROKES[isBlockType(type) ? type : CUSTOM]
  }</svg>`
