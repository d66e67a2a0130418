import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { quoted, rowsOf } from './markdown.js'
import { files, fromRoot, read } from './tree.js'

type Rule = { alert: string; expr: string; annotations: { summary: string; runbook: string } }
type Panel = { type: string; title: string; targets?: { expr: string; legendFormat: string }[] }

const RULES = 'ops/prometheus/alerts.yml'
const RULE_TESTS = 'ops/prometheus/alerts.test.yml'
const DASHBOARDS = files('ops/grafana').filter((path) => path.endsWith('.json'))

const rules: Rule[] = parse(read(RULES)).groups.flatMap(({ rules: all }: { rules: Rule[] }) => all)
const panels: Panel[] = DASHBOARDS.flatMap((path) => JSON.parse(read(path)).panels)
const queries = panels.flatMap(({ targets = [] }) => targets)

/** Documented names, which another test holds against the code, with the labels of each. */
const metrics = new Map(
  rowsOf(read('docs/metrics.md')).map(({ heading, cells: [name, type, labels] }) => [
    quoted(name)[0] ?? '',
    { heading, isHistogram: type === 'histogram', labels: quoted(labels) },
  ]),
)
/** Of every series: ours, Prometheus' own, and a histogram's. */
const GENERAL_LABELS = ['app', 'instance', 'job', 'le']

const metricOf = (series: string) => {
  const whole = metrics.get(series)
  if (whole) return whole
  const histogram = metrics.get(series.replace(/_(?:bucket|sum|count)$/, ''))
  return histogram?.isHistogram ? histogram : undefined
}
const seriesIn = (text: string) => [...text.matchAll(/\bclerk_mirror_\w+/g)].map(([name]) => name)
const labelsIn = (query: string) => [
  ...[...query.matchAll(/[{,]\s*(\w+)\s*(?:=~|!=|!~|=)/g)].map(([, label = '']) => label),
  ...[...query.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, labels = '']) => labels.match(/\w+/g) ?? []),
]

/** Sections of the runbook by title. */
const sections = new Map(
  read('docs/runbook.md')
    .split(/^## /m)
    .slice(1)
    .map((section) => [section.split('\n', 1).join(), section]),
)

test.each([RULES, RULE_TESTS, 'docs/runbook.md', ...DASHBOARDS])('%s names no metric that does not exist', (path) => {
  const unknown = seriesIn(read(path)).filter((series) => metricOf(series) === undefined)
  expect(unknown).toEqual([])
})

test.each([...rules, ...queries].map(({ expr }) => expr))('%s asks for labels that its metrics have', (expr) => {
  const known = [...GENERAL_LABELS, ...seriesIn(expr).flatMap((series) => metricOf(series)?.labels ?? [])]
  expect(labelsIn(expr).filter((label) => !known.includes(label))).toEqual([])
})

test('the dashboard shows every metric of the road', () => {
  const shown = queries.flatMap(({ expr }) => seriesIn(expr))
  const road = [...metrics].filter(([, { heading }]) => ['Ingest', 'Worker', 'The queue'].includes(heading))
  expect(road.length).toBeGreaterThan(15)
  expect(road.map(([name]) => name).filter((name) => !shown.some((series) => series.startsWith(name)))).toEqual([])
})

test('every alert leads to its section of the runbook, and every section is of an alert', () => {
  for (const { alert, annotations } of rules) {
    expect(annotations.runbook).toBe(`docs/runbook.md#${alert.toLowerCase()}`)
  }
  expect([...sections.keys()].toSorted()).toEqual(rules.map(({ alert }) => alert).toSorted())
})

test.each([...sections])('the section %s has its meaning, diagnosis, remedy and end', (_, text) => {
  const parts = [...text.matchAll(/^\*\*(.+)\*\* \S/gm)].map(([, part]) => part)
  expect(parts).toEqual(['Meaning.', 'Diagnosis.', 'Remedy.', 'Resolved when.'])
})

test('every alert is tried', () => {
  const untried = rules.filter(({ alert }) => !new RegExp(`\\b${alert}\\b`).test(read(RULE_TESTS)))
  expect(untried).toEqual([])
})

/** It evaluates some days of a minute each: a few seconds, more where other tests run beside it. */
const MINUTE_MS = 60_000
const promtool = (...args: string[]) =>
  spawnSync('promtool', args, { cwd: fromRoot('ops/prometheus'), encoding: 'utf8' })
const isInstalled = promtool('--version').error === undefined
if (!isInstalled) {
  process.stderr.write(
    'skipped: the alert rules are not tried, for promtool is missing (Debian: apt install prometheus)\n',
  )
}

describe.skipIf(!isInstalled)('promtool', () => {
  test.each([
    ['check', 'rules', 'alerts.yml'],
    ['check', 'config', 'prometheus.yml'],
    ['test', 'rules', 'alerts.test.yml'],
  ])(
    '%s %s %s',
    (...args) => {
      const { status, stdout, stderr } = promtool(...args)
      expect(status, stdout + stderr).toBe(0)
    },
    MINUTE_MS,
  )
})
