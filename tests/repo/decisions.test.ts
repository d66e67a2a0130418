import { posix } from 'node:path'
import { expect, test } from 'vitest'
import { files, manifestOf, read } from './tree.js'

const FOLDER = 'docs/decisions/'
const records = files(posix.join(FOLDER, '.'))
  .map((path) => posix.basename(path))
  .filter((name) => !name.startsWith('0000-'))

const headingsOf = (text: string) => [...text.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading)
const sections = headingsOf(read(`${FOLDER}0000-template.md`))

test('decision records are numbered without a gap', () => {
  const numbers = records.map((name) => Number(name.slice(0, 4)))
  expect(numbers.length).toBeGreaterThan(0)
  expect(numbers).toEqual(numbers.map((_, index) => index + 1))
})

test.each(records)('%s follows the template: title, status, date, and the same sections', (name) => {
  const text = read(`${FOLDER}${name}`)
  const status = '(?:proposed|accepted|superseded by \\[\\d{4}\\]\\(\\S+\\))'
  expect(text).toMatch(
    new RegExp(`^# ${name.slice(0, 4)} .+\\n\\n- Status: ${status}\\n- Date: \\d{4}-\\d\\d-\\d\\d\\n\\n## Context\\n`),
  )
  expect(headingsOf(text)).toEqual(sections)
})

test('the changelog has a dated entry for the version of the repository', () => {
  const { version } = manifestOf('')
  const changelog = read('CHANGELOG.md')
  const [, entry = ''] = changelog.split(
    new RegExp(`^## \\[${version.replaceAll('.', '\\.')}\\] - \\d{4}-\\d\\d-\\d\\d$`, 'm'),
  )
  const kinds = [...(entry.split(/^## /m)[0]?.matchAll(/^### (.+)$/gm) ?? [])].map(([, kind]) => kind)
  expect(kinds).toEqual(expect.arrayContaining(['Added', 'Changed', 'Fixed']))
})
