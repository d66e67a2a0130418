import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { SupervisedProcess } from '../../../packages/devstack/src/supervisor.js'
import { until } from '../../support/until.js'

const fromRoot = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url))
const read = (path: string) => readFileSync(fromRoot(path), 'utf8')

const SOURCE = 'packages/queue/src/redis/redis-url.ts'
const BUILT = pathToFileURL(fromRoot('packages/queue/dist/redis/redis-url.js')).href
/** Prints the stack of an error that comes from a compiled file. */
const FAILING = `
  import { parseRedisUrl } from '${BUILT}'
  try { parseRedisUrl('nonsense') } catch (error) { console.log(error.stack) }
`

/** The line of the TypeScript that a stack names first. */
function namedLine(stack: string): string {
  const [, line = '0'] = stack.match(/redis-url\.ts:(\d+):\d+/) ?? []
  return read(SOURCE).split('\n')[Number(line) - 1] ?? ''
}

const flagsOf = (command: string) => command.match(/ (--[\w-]+)/g)?.map((flag) => flag.trim()) ?? []

test('a stack trace of a process that a script starts names the line of the TypeScript', () => {
  const { scripts } = JSON.parse(read('package.json'))
  const { stdout } = spawnSync(
    process.execPath,
    [...flagsOf(scripts['start:worker']), '--input-type=module', '--eval', FAILING],
    { encoding: 'utf8' },
  )
  expect(namedLine(stdout)).toContain('throw new Error')
})

test('so does one of a process in the image', () => {
  const [, options = ''] = read('Dockerfile').match(/^ENV .*\bNODE_OPTIONS=(\S+)/m) ?? []
  const env = { NODE_OPTIONS: options }
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', FAILING], { env, encoding: 'utf8' })
  expect(namedLine(stdout)).toContain('throw new Error')
})

test('so does one of a process that npm start supervises', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'clerk-mirror-source-maps-'))
  const [script, logFile] = [join(folder, 'main.mjs'), join(folder, 'app.log')]
  writeFileSync(script, FAILING)
  try {
    await using _process = new SupervisedProcess({ name: 'app', script, cwd: folder, env: {}, logFile, say: () => {} })
    await until(() => namedLine(readFileSync(logFile, 'utf8')).includes('throw new Error'))
  } finally {
    rmSync(folder, { recursive: true })
  }
})
