import { expect, test } from 'vitest'
import { notable } from '../../../packages/devstack/src/log-line.js'
import { usersTable } from '../../../packages/devstack/src/report.js'
import { columnsOf, fitted } from '../../../packages/devstack/src/terminal.js'

test.each([
  ['Zoë', 3],
  ['e\u0301a', 2],
  ['田中', 4],
  ['🦊 Fox', 6],
  ['👩🏽‍🚀', 2],
  ['', 0],
])('%s takes %i columns of a terminal', (text, columns) => {
  expect(columnsOf(text)).toBe(columns)
})

test.each([
  ['Ada', 5, 'Ada  '],
  ['田中花子', 5, '田中…'],
  ['田中花子', 6, '田中… '],
  ['Ada', 3, 'Ada'],
  ['', 2, '  '],
])('%s in %i columns is "%s"', (text, columns, shown) => {
  expect(fitted(text, columns)).toBe(shown)
})

test('a name cannot command the terminal that shows it', () => {
  expect(fitted('\u001b[2Jgone\u202e', 12)).toBe('·[2Jgone·   ')
})

test('the users stand in aligned columns, and the ones that are not shown are counted', () => {
  const rows = [
    { username: 'ada', display_name: '田中', email: null, updated_at: Date.UTC(2025, 0, 2, 3, 4, 5) },
    { username: null, display_name: 'Zoë', email: 'zoe@example.com', updated_at: null },
  ]
  expect(usersTable(rows, 9)).toEqual([
    '  username  display_name  email            updated_at',
    '  ────────  ────────────  ───────────────  ───────────────────',
    '  ada       田中          –                2025-01-02T03:04:05',
    '  –         Zoë           zoe@example.com  –',
    '  … and 7 more rows',
  ])
})

test.each([
  ['{"level":"warn","event":"redis.unsafe","msg":"may lose data"}', 'warn  redis.unsafe  may lose data'],
  ['{"level":"error","event":"x","err":{"message":"broke"}}', 'error  x  broke'],
  ['{"level":"warn","event":"event.refused","cause":"No signature."}', 'warn  event.refused  No signature.'],
  ['{"level":"info","event":"event.applied"}', undefined],
  ['ingest: REDIS_URL is missing', 'ingest: REDIS_URL is missing'],
  ['    at Server.listen (node:net:1)', undefined],
  ['', undefined],
])('of the line %s people see %s', (line, shown) => {
  expect(notable(line)?.text).toBe(shown)
})
