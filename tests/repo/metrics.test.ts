import { expect, test } from 'vitest'
import { quoted, rowsOf } from './markdown.js'
import { read, sources } from './tree.js'

type Metric = { name: string | undefined; type: string | undefined; labels: string[]; help: string | undefined }

const code = sources().map(read).join('\n')

/** `metrics.counter({ name: …, help: …, labels: [ … ] })`, with or without type arguments. */
const DEFINITION = /\.(counter|gauge|histogram)(?:<[^>]*>)?\(\{([^}]*)\}/g

const inCode = [...code.matchAll(DEFINITION)].map(([, type, body = '']): Metric => {
  const labels = /labels: \[([^\]]*)\]/.exec(body)?.[1] ?? ''
  return {
    name: /name: '(\w+)'/.exec(body)?.[1],
    type,
    labels: labels.match(/\w+/g) ?? [],
    help: /help: ['"](.*)['"],?$/m.exec(body)?.[1],
  }
})

const byName = (metrics: readonly Metric[]) => metrics.toSorted((a, b) => (String(a.name) < String(b.name) ? -1 : 1))
const rows = rowsOf(read('docs/metrics.md')).map(({ cells }) => cells)

test('docs/metrics.md lists every metric with type, labels and help as the code has them, and no other', () => {
  const inDocument = rows.map(([name, type, labels, help]): Metric => {
    return { name: quoted(name)[0], type, labels: quoted(labels), help }
  })
  expect(byName(inDocument)).toEqual(byName(inCode))
})

test('every metric that the code names is one that this test has read', () => {
  const named = [...code.matchAll(/name: '(clerk_mirror_\w+)'/g)].map(([, name]) => name)
  expect(named.toSorted()).toEqual(inCode.map(({ name }) => name).toSorted())
})

test('every metric comes with what to do about it', () => {
  expect(rows.filter(([, , , , todo]) => !todo?.trim())).toEqual([])
})
