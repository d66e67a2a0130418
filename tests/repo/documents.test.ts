import { posix } from 'node:path'
import { SETTINGS } from '@clerk-mirror/runtime'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { COMMANDS, parseOptions } from '../../apps/cli/src/run-command.js'
import { quoted } from './markdown.js'
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

/** The lines of a document's shell blocks, without prompts and comments; a line that ends in a backslash goes on. */
const shellLines = (document: string): string[] =>
  [...document.matchAll(/^ *```sh\n(.*?)^ *```/gms)].flatMap(([, block = '']) =>
    block
      .replaceAll('\\\n', ' ')
      .split('\n')
      .map((line) => line.replace(/(?:^|\s)#.*$/, '').trim())
      .filter((line) => line !== ''),
  )

const prose = (document: string) => document.replaceAll(/^ *```.*?^ *```/gms, '')

/** The words of a command of the CLI, where the text is one: with or without the way to call it. */
function commandIn(text: string): string[] | null {
  const words = text.replace(/^(?:npm run (?:-s )?ops -- |docker compose run --rm ops |clerk-mirror )/, '').split(' ')
  return nameOf(words) === undefined ? null : words
}

const nameOf = (words: readonly string[]) =>
  Object.keys(COMMANDS).find((key) => key === words.slice(0, key.split(' ').length).join(' '))

test('every command line of a document is one that the CLI takes, options and all', () => {
  const lines = documents()
    .filter((path) => path !== 'docs/cli.md')
    .flatMap((path) => [...shellLines(read(path)), ...quoted(prose(read(path)))].map((text) => ({ path, text })))
  const named = lines.flatMap(({ path, text }) => {
    const words = commandIn(text)
    return words ? [{ path, text, words }] : []
  })
  expect(new Set(named.map(({ path }) => path)).size).toBeGreaterThan(5)
  const refused = named.filter(({ words }) => {
    const name = nameOf(words) ?? ''
    const command = COMMANDS[name]
    try {
      return !command || !parseOptions(command, words.slice(name.split(' ').length))
    } catch {
      return true
    }
  })
  expect(refused).toEqual([])
})

test('what follows `npm run ops` in a document is always a command', () => {
  const named = documents().flatMap((path) =>
    [...read(path).matchAll(OPERATION)].map(([text, words = '']) => ({ path, text, words })),
  )
  expect(named.length).toBeGreaterThan(30)
  expect(named.filter(({ words }) => nameOf(words.trim().split(' ')) === undefined)).toEqual([])
})

test('every program, script and service that a shell block of a document starts exists', () => {
  const { services }: { services: Record<string, { profiles?: string[] }> } = parse(read('docker-compose.yml'))
  const profiles = Object.values(services).flatMap((service) => service.profiles ?? [])
  const lines = documents().flatMap((path) => shellLines(read(path)).map((line) => ({ path, line })))
  expect(lines.length).toBeGreaterThan(30)
  const wrong = lines.filter(({ line }) => {
    const [, script] = /^(?:sh|node) (\S+)/.exec(line) ?? []
    if (script && !exists(sourceOf(script))) return true
    const [, ran = 'ops'] = /docker compose run (?:--\S+ )*(\S+)/.exec(line) ?? []
    const [, scaled = 'worker'] = /--scale (\w+)=/.exec(line) ?? []
    const [, profile] = /--profile (\w+)/.exec(line) ?? []
    return !(services[ran] && services[scaled]) || (profile !== undefined && !profiles.includes(profile))
  })
  expect(wrong).toEqual([])
})

/** A compiled program stands for its source. */
const sourceOf = (path: string) => path.replace(/\/dist\/(.+)\.js$/, '/src/$1.ts')

const OTHERS_SETTINGS = /^(?:TEST_|REDIS_HOST_PORT|MYSQL_|TOKEN$|PASSWORD$|NODE_|SEED$|COMMIT$)/

test('every setting that a shell block of a document gives a value is one that a process reads', () => {
  const given = documents().flatMap((path) =>
    shellLines(read(path)).flatMap((line) =>
      [...line.matchAll(/(?:^|\s|")([A-Z][A-Z_]+)=/g)].map(([, name = '']) => ({ path, name })),
    ),
  )
  expect(given.length).toBeGreaterThan(5)
  expect(given.filter(({ name }) => !Object.hasOwn(SETTINGS, name) && !OTHERS_SETTINGS.test(name))).toEqual([])
})

/** Files that a reader of CONTRIBUTING.md makes. */
const EXAMPLES = ['apps/worker/src/reactions/welcome.ts', 'packages/events/src/kinds/team.ts']
const PATH = /^(?:apps|packages|tests|bench|ops|prisma|docs)\/[\w./-]+$/

test('every file and folder that a document names in code quotes exists', () => {
  const named = documents()
    .filter((path) => path !== 'CHANGELOG.md')
    .flatMap((path) => quoted(prose(read(path))).map((to) => ({ path, to })))
    .filter(({ to }) => PATH.test(to) && !EXAMPLES.includes(to))
  expect(named.length).toBeGreaterThan(50)
  expect(named.filter(({ to }) => !exists(sourceOf(to)))).toEqual([])
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
