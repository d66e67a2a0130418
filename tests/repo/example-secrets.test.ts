import { type Environment, readConfig, SETTINGS, type Setting, type SettingName } from '@clerk-mirror/runtime'
import { expect, test } from 'vitest'
import { EXAMPLE_SECRETS } from '../../packages/runtime/src/example-secrets.js'
import { files, read } from './tree.js'

const DOCUMENTS = files().filter((file) => /\.md$|\.ya?ml$|^\.env/.test(file) && !/^(ops|bench|\.github)\//.test(file))

/** The look of a secret in a document. A command or a variable in its place is none. */
const LOOKS: readonly RegExp[] = [
  /whsec_([\w+/=-]+)/g,
  /\b[a-z]+:\/\/[^\s:/@`'"]*(:[^\s@/`'"$]+@)/g,
  /IDENTIFIED BY '([^']+)'/g,
  /\b[\w.-]+:(?:viewer|operator):([^\s,`'"$…]+)/g,
  /\bENVELOPE_KEYS=[\w.-]+:([^\s,`'"$…]+)/g,
  /\b(?:\w*PASSWORD|\w*SECRETS?|\w*TOKEN|CLERK_SECRET_KEY)[=:] ?([^\s,`'"$…]{3,})/g,
  /(\/T000\/\S+?)(?=[`'"\s])/g,
]

/** Only the beginning of one; its rest is a command or an ellipsis. */
const LEFT_OUT = /[…$?]|^(?:whsec_|.*:)$/

const found = DOCUMENTS.flatMap((file) => {
  const content = read(file)
  const looking = LOOKS.flatMap((look) => [...content.matchAll(look)].map(([, secret = '']) => secret))
  return looking.filter((secret) => !LEFT_OUT.test(secret)).map((secret) => [file, secret] as const)
})

function faultOf(name: SettingName, value: string): string {
  try {
    readConfig({ [name]: value } satisfies Environment, (config) => config.required(name, (raw) => raw))
    return ''
  } catch (error) {
    return String(error)
  }
}

const secrets = (Object.entries(SETTINGS) as [SettingName, Setting][]).filter(([, { secret }]) => secret)

test('the documents are searched', () => {
  expect(new Set(found.map(([file]) => file)).size).toBeGreaterThan(4)
  expect(found.length).toBeGreaterThan(10)
})

test.each(found)('%s: what stands there as a secret is refused as one: %s', (_, example) => {
  for (const [name] of secrets) expect(faultOf(name, `x${example}x`)).toContain(`${name} holds an example`)
})

test('the examples of secret settings are refused where they hold a secret', () => {
  const harmless = ['REDIS_URL', 'CHANGE_WEBHOOK_URLS', 'HTTPS_PROXY', 'HTTP_PROXY']
  for (const [name, { example }] of secrets) {
    if (!harmless.includes(name)) expect(faultOf(name, example)).toContain(`${name} holds an example`)
  }
})

test('a fault names the setting and quotes nothing, in whatever case the example is written', () => {
  for (const example of EXAMPLE_SECRETS) {
    const said = faultOf('CLERK_WEBHOOK_SIGNING_SECRET', `whsec_${example.toLowerCase()}`)
    expect(said).toContain('CLERK_WEBHOOK_SIGNING_SECRET holds an example')
    expect(said.toLowerCase()).not.toContain(example.toLowerCase())
  }
})

test('a secret of somebody’s own is not refused', () => {
  for (const [name] of secrets) expect(faultOf(name, 'whsec_d2hhdGV2ZXIgc29tZWJvZHkgbWFkZSB1cA==')).toBe('')
})
