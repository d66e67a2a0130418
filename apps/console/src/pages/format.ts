import { type Html, html } from '@clerk-mirror/pages'

const COUNT = new Intl.NumberFormat('en-US')

export const count = (value: number): string => COUNT.format(value)

/** `1 dead letter`, `2 dead letters`. */
export const counted = (value: number, one: string, many = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : many}`

const UNITS = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
] as const

/** For people: `850 ms`, `42 s`, `7 min`, `3 h`, `2 d`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`
  const seconds = ms / 1000
  const [unit, size] = UNITS.find(([, each]) => seconds >= each) ?? ['s', 1]
  const value = seconds / size
  return `${value < 10 && size === 1 ? value.toFixed(1).replace(/\.0$/, '') : Math.floor(value)} ${unit}`
}

/** A moment as people say it, with the exact one in UTC for programs and as a tooltip. */
export function moment(atMs: number, nowMs: number): Html {
  const iso = new Date(atMs).toISOString()
  const ago = nowMs - atMs
  const said = ago < 0 ? 'now' : ago < 1000 ? 'just now' : `${duration(ago)} ago`
  return html`<time datetime="${iso}" title="${utc(atMs)}">${said}</time>`
}

/** `2026-11-23 04:05:06 UTC` */
export const utc = (atMs: number): string => `${new Date(atMs).toISOString().slice(0, 19).replace('T', ' ')} UTC`

/** `04:05` of UTC. */
export const clockTime = (atMs: number): string => new Date(atMs).toISOString().slice(11, 16)
