import { type Html, html } from '@clerk-mirror/pages'

/** One colour of a chart; `values` from the oldest to the newest, null where nothing is known. */
export type Series = { name: string; tone: string; values: readonly (number | null)[] }

export type Chart = {
  title: string
  series: readonly Series[]
  shape: 'bars' | 'lines'
  /** How a value reads: `120 events`, `1.2 s`. */
  say: (value: number) => string
  /** How the place of a value reads: `04:05`. */
  placeOf: (index: number) => string
  note?: string | undefined
}

const [WIDTH, HEIGHT, DASH] = [600, 120, 6]

/**
 * A chart as SVG with a legend and, for readers that do not see it, a sentence. It is stretched to its place, so all
 * text is outside of the drawing.
 */
export function chart(options: Chart): Html {
  const { title, series, shape, say, placeOf, note } = options
  const length = Math.max(0, ...series.map(({ values }) => values.length))
  const totals = Array.from({ length }, (_, index) => {
    const values = series.map(({ values }) => values[index] ?? 0)
    return shape === 'bars' ? values.reduce((sum, value) => sum + value, 0) : Math.max(0, ...values)
  })
  const top = Math.max(...totals, 0)
  const draw = shape === 'bars' ? bars : lines
  return html`<figure class="chart">
    <figcaption>${title}<span class="top">${top > 0 && html`peak ${say(top)}`}</span></figcaption>
    <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${sentence(options, totals)}">
      <path class="grid" d="M0 ${HEIGHT / 2}H${WIDTH}M0 ${HEIGHT - 0.5}H${WIDTH}M0 0.5H${WIDTH}"/>
      ${top > 0 && draw(options, length, top)}
    </svg>
    <div class="axis"><span>${length > 0 && placeOf(0)}</span><span>${note}</span><span>now</span></div>
    ${series.length > 1 && html`<ul class="legend">${series.map(({ name, tone }) => html`<li class="${tone}">${name}</li>`)}</ul>`}
  </figure>`
}

function sentence({ title, say, placeOf }: Chart, totals: readonly number[]): string {
  const top = Math.max(...totals, 0)
  if (top === 0) return `${title}: nothing in this time.`
  const last = totals.at(-1) ?? 0
  return `${title}: at most ${say(top)} at ${placeOf(totals.indexOf(top))}, now ${say(last)}.`
}

/** Series on top of each other. */
function bars({ series, say, placeOf }: Chart, length: number, top: number): Html[] {
  const step = WIDTH / length
  return Array.from({ length }, (_, index) => {
    let foot = HEIGHT
    const said = series.flatMap(({ name, values }) => (values[index] ? `${name} ${say(values[index])}` : []))
    const parts = series.map(({ tone, values }) => {
      const height = ((values[index] ?? 0) / top) * HEIGHT
      foot -= height
      return (
        height > 0 &&
        html`<rect class="${tone}" x="${cut(index * step)}" y="${cut(foot)}" width="${cut(step * 0.8)}" height="${cut(height)}"/>`
      )
    })
    return html`<g><title>${placeOf(index)} · ${said.join(', ') || 'nothing'}</title>
      <rect class="hover" x="${cut(index * step)}" y="0" width="${cut(step)}" height="${HEIGHT}"/>${parts}</g>`
  })
}

/** A line has gaps where nothing is known, and a lone value is a short dash. */
function lines({ series }: Chart, length: number, top: number): Html[] {
  const step = WIDTH / Math.max(1, length - 1)
  return series.map(({ tone, values }) => {
    const isKnown = (index: number) => (values[index] ?? null) !== null
    const points = values.map((value, index) => {
      if (value === null) return ''
      const [x, y] = [cut(index * step), cut(HEIGHT - (value / top) * (HEIGHT - 2) - 1)]
      if (isKnown(index - 1)) return `L${x} ${y}`
      return isKnown(index + 1) ? `M${x} ${y}` : `M${Math.max(0, x - DASH)} ${y}h${DASH}`
    })
    return html`<path class="line ${tone}" d="${points.join('')}"/>`
  })
}

const cut = (value: number) => Number(value.toFixed(1))
