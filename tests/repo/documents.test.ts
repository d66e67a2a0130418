import { posix } from 'node:path'
import { expect, test } from 'vitest'
import { exists, files, manifestOf, read } from './tree.js'

const documents = () => files().filter((path) => path.endsWith('.md'))
const SCRIPT = /npm (?:run (?:-s |--silent )?([a-z][\w:-]*)|(start|test)\b)/g
const OPERATION = /npm run (?:-s |--silent )?ops -- ([a-z][a-z -]*)/g
const LINK = /\]\(([^)\s#]*)(?:#([^)\s]+))?\)/g

test('there is a README', () => {
  expect(documents()).toContain('README.md')
})

test('every npm script that a document, a message or a comment names exists', () => {
  const scripts = Object.keys(manifestOf('').scripts ?? {})
  const named = files()
    .filter((path) => path !== 'package-lock.json')
    .flatMap((path) => [...read(path).matchAll(SCRIPT)].map(([, run, short = '']) => ({ path, script: run ?? short })))
  expect(named.filter(({ script }) => !scripts.includes(script))).toEqual([])
})

test('every operation that a document names is a command of the CLI', () => {
  const table = read('apps/cli/src/run-command.ts')
  const commands = [...table.matchAll(/^ {2}'?([a-z][a-z -]+[a-z])'?: \w+,$/gm)].map(([, name = '']) => name)
  expect(commands).toContain('dead-letters list')
  const named = documents().flatMap((path) =>
    [...read(path).matchAll(OPERATION)].map(([, words = '']) => ({ path, words })),
  )
  const isCommand = (words: string) => commands.some((command) => `${words} `.startsWith(`${command} `))
  expect(named.filter(({ words }) => !isCommand(words))).toEqual([])
})

test('every link within the documents leads to a file, and to a heading where it names one', () => {
  const links = documents().flatMap((path) =>
    [...read(path).matchAll(LINK)].map(([, to = '', heading]) => ({ path, to, heading })),
  )
  const within = links.filter(({ to }) => !/^[a-z]+:/.test(to))
  const broken = within.filter(({ path, to, heading }) => {
    const target = to === '' ? path : posix.join(posix.dirname(path), to)
    if (!exists(target)) return true
    return heading !== undefined && target.endsWith('.md') && !headingsOf(target).includes(heading)
  })
  expect(broken).toEqual([])
})

/** A document's headings in the form in which GitHub links to them. */
function headingsOf(path: string): string[] {
  const headings = read(path).matchAll(/^#+ (.+)$/gm)
  return [...headings].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  )
}
