import { parseEnv } from 'node:util'
import { ConfigFaults, type Environment, SETTINGS, type Setting } from '@clerk-mirror/runtime'
import { expect, test } from 'vitest'
import { readClerkConfig } from '../../apps/cli/src/clerk-api.js'
import { table, withPart } from './markdown.js'
import { limitsOf, policyFiles, readable } from './policies.js'
import { fromRoot, read, sources } from './tree.js'

const DOCUMENT = 'docs/settings.md'
const EXAMPLE = '.env.example'

const settings: [string, Setting][] = Object.entries(SETTINGS)

type ReadConfig = (env: Environment) => unknown
const isReadConfig = (value: unknown): value is ReadConfig =>
  typeof value === 'function' && /^read\w+Config$/.test(value.name)

/** How each app that has a configuration of its own reads it. */
const configs = await Promise.all(
  sources()
    .filter((path) => /^apps\/\w+\/src\/config\.ts$/.test(path))
    .map(async (path): Promise<unknown[]> => Object.values(await import(fromRoot(path)))),
)
const CONFIGS = configs.flat().filter(isReadConfig)

/** The settings at which a process finds fault. */
function faultyIn(readConfig: ReadConfig, env: Environment): string[] {
  try {
    readConfig(env)
    return []
  } catch (error) {
    if (!(error instanceof ConfigFaults)) throw error
    return error.faults.map(({ name }) => name)
  }
}

const required = new Set<string>(CONFIGS.flatMap((readConfig) => faultyIn(readConfig, {})))

const defaultOf = (name: string, setting: Setting) =>
  required.has(name) ? 'must be set' : setting.default === undefined ? '–' : `\`${setting.default}\``

const settingsTable = () =>
  table(
    ['setting', 'default', 'read by', 'meaning'],
    settings.map(([name, setting]) => [
      `\`${name}\``,
      defaultOf(name, setting),
      setting.usedBy.join(', '),
      `${setting.doc} Example: \`${setting.example}\``,
    ]),
  )

async function limitsTables(): Promise<string> {
  const parts = policyFiles().map(async (path) => {
    const rows = (await limitsOf(path)).map(({ values, reason }) => [
      Object.keys(values)
        .map((name) => `\`${name}\``)
        .join(', '),
      Object.entries(values)
        .map(([name, value]) => readable(name, value))
        .join('; '),
      reason,
    ])
    return `### ${path}\n\n${table(['limit', 'value', 'why'], rows)}`
  })
  return (await Promise.all(parts)).join('\n\n')
}

const EXAMPLE_HEAD = `# Copy this file to .env, and remove the # in front of a setting to use it. The environment wins over this file.
# npm start needs none of them: it starts missing servers, and generates missing secrets.
# docs/settings.md lists the same.
`

const exampleText = () =>
  [
    EXAMPLE_HEAD,
    ...settings.map(([name, setting]) => {
      const byDefault = setting.default === undefined ? '' : ` Default: ${setting.default}`
      const need = required.has(name) ? ' Must be set.' : byDefault
      const comment = [...folded(setting.doc), `Read by ${setting.usedBy.join(', ')}.${need}`]
      return `${comment.map((text) => `# ${text}\n`).join('')}#${name}=${setting.example}\n`
    }),
  ].join('\n')

const folded = (text: string) =>
  text
    .replaceAll('`', '')
    .match(/.{1,110}(?: |$)/g)
    ?.map((part) => part.trim()) ?? []

/*
 * Both texts are rendered from the code and compared with the files; `npx vitest run --project repo -u` writes them.
 */
test('docs/settings.md lists every setting and every limit as the code has them', async () => {
  const withSettings = withPart(read(DOCUMENT), 'settings', settingsTable())
  const expected = withPart(withSettings, 'limits', await limitsTables())
  await expect(expected).toMatchFileSnapshot(fromRoot(DOCUMENT))
})

test('.env.example lists every setting as the code has it', async () => {
  await expect(exampleText()).toMatchFileSnapshot(fromRoot(EXAMPLE))
})

/** An example that names, in capitals, its replacement. */
const PLACEHOLDER = /(?:COPY|MAKE)_|XXXX/

test('every example is a value that the processes take, unless it is to be replaced by a secret: that is refused', () => {
  const example = parseEnv(exampleText().replaceAll(/^#(?=\w+=)/gm, ''))
  const names = settings.map(([name]) => name)
  expect(Object.keys(example).toSorted()).toEqual(names.toSorted())
  // Commands that read from Clerk need its key, and no process does.
  const refused = [...CONFIGS, readClerkConfig].flatMap((readConfig) => faultyIn(readConfig, example))
  expect(new Set(refused)).toEqual(new Set(names.filter((name) => PLACEHOLDER.test(example[name] ?? ''))))
})

test('a setting is read by the apps that it is said to be read by', () => {
  const reading = sources().filter((path) => path.startsWith('apps/'))
  const readings = reading.flatMap((path) =>
    namesReadIn(read(path)).map((name) => ({ name, app: path.split('/')[1] ?? '' })),
  )
  for (const [name, { usedBy }] of settings) {
    const apps = new Set(readings.filter((each) => each.name === name).map(({ app }) => app))
    expect({ name, apps: [...apps].toSorted() }).toEqual({ name, apps: usedBy.toSorted() })
  }
})

const namesReadIn = (code: string) =>
  [...code.matchAll(/\bread\.(?:required|optional|first)\(\s*(\[[^\]]*\]|'\w+')/g)].flatMap(
    ([, names = '']) => names.match(/\w+/g) ?? [],
  )

test('docs/settings.md names what docker-compose.yml asks for besides', () => {
  const asked = [...read('docker-compose.yml').matchAll(/\$\{(\w+)/g)].map(([, name = '']) => name)
  const besides = asked.filter((name) => !Object.hasOwn(SETTINGS, name))
  expect(besides.filter((name) => !read(DOCUMENT).includes(`\`${name}\``))).toEqual([])
})
