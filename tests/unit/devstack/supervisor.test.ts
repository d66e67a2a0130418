import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { choosePort } from '../../../packages/devstack/src/services/ports.js'
import { SupervisedProcess } from '../../../packages/devstack/src/supervisor.js'
import { PATIENCE_MS } from '../../support/until.js'

const READY_SERVER = `
  import { createServer } from 'node:http'
  console.log(JSON.stringify({ level: 'info', event: 'process.started', pid: process.pid }))
  createServer((_, response) => response.end('{"status":"ready"}')).listen(process.env.PORT, '127.0.0.1')
`
const SAYS_GOODBYE = `
  process.on('SIGTERM', () => { console.log('{"event":"drained"}'); process.exit(0) })
`

let folder: string
let said: string[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'clerk-mirror-supervisor-'))
  said = []
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function supervise(code: string) {
  const script = join(folder, 'main.mjs')
  writeFileSync(script, code)
  const port = await choosePort()
  const logFile = join(folder, 'app.log')
  const env = { PORT: String(port) }
  const child = new SupervisedProcess({
    name: 'app',
    script,
    cwd: folder,
    env,
    logFile,
    say: (line) => said.push(line),
  })
  const { signal } = new AbortController()
  const comeUp = () => child.comeUp(`http://127.0.0.1:${port}/readyz`, { withinMs: 5000, signal })
  const log = () => readFileSync(logFile, 'utf8')
  const pids = () => [...log().matchAll(/"pid":(\d+)/g)].map(([, pid]) => Number(pid))
  return { child, comeUp, log, pids, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() }
}

test('a process that dies once it is up is started again, with one line about it', async () => {
  await using app = await supervise(READY_SERVER)
  expect(await app.comeUp()).toBeUndefined()
  await vi.waitFor(() => expect(app.pids()).toHaveLength(1), PATIENCE_MS)
  process.kill(app.pids()[0] ?? 0, 'SIGKILL')
  await vi.waitFor(() => expect(app.pids()).toHaveLength(2), PATIENCE_MS)
  expect(said).toEqual([
    expect.stringMatching(/^app exited \(SIGKILL\) and is started again in 0.5 s; its log: .*app.log$/),
  ])
  expect(await app.comeUp()).toBeUndefined()
})

test('a process that is restarted runs its script as it is then, and nothing is said of it', async () => {
  await using app = await supervise(READY_SERVER)
  expect(await app.comeUp()).toBeUndefined()
  await vi.waitFor(() => expect(app.pids()).toHaveLength(1), PATIENCE_MS)
  writeFileSync(join(folder, 'main.mjs'), `console.log('{"changed":true}')\n${READY_SERVER}`)
  await app.child.restart()
  expect(await app.comeUp()).toBeUndefined()
  await vi.waitFor(() => expect(app.pids()).toHaveLength(2), PATIENCE_MS)
  expect(app.log()).toContain('{"changed":true}')
  expect(said).toEqual([])
})

test('a process that is disposed of while it restarts stays down', async () => {
  const app = await supervise(READY_SERVER)
  expect(await app.comeUp()).toBeUndefined()
  await vi.waitFor(() => expect(app.pids()).toHaveLength(1), PATIENCE_MS)
  await Promise.all([app.child.restart(), app.child[Symbol.asyncDispose]()])
  expect(app.pids()).toHaveLength(1)
  expect(() => process.kill(app.pids()[0] ?? 0, 0)).toThrow('ESRCH')
})

test('a process that exits before it is up ends the start at once, its complaint shown and kept', async () => {
  await using app = await supervise("console.error('app: PORT must be a port'); process.exit(1)")
  await expect(app.comeUp()).rejects.toThrow(/^app exited while it started; its log: .*app.log$/)
  await app[Symbol.asyncDispose]()
  expect(said).toEqual(['app    │ app: PORT must be a port'])
  expect(app.log()).toBe('app: PORT must be a port\n')
})

test('stopping lets the process finish, keeps its last words, and starts it no more', async () => {
  const app = await supervise(READY_SERVER + SAYS_GOODBYE)
  await app.comeUp()
  await app[Symbol.asyncDispose]()
  expect(app.log()).toMatch(/drained"}\n$/)
  expect(said).toEqual([])
  expect(() => process.kill(app.pids()[0] ?? 0, 0)).toThrow(/ESRCH/)
})

test('of what a process repeats, people see the first line and the log has all', async () => {
  const refused = (id: string) => JSON.stringify({ level: 'warn', event: 'event.refused', msg: `No signature: ${id}` })
  const lines = [refused('a'), refused('b'), '{"level":"info","event":"event.accepted"}']
  await using app = await supervise(`console.log(${JSON.stringify(lines.join('\n'))});${READY_SERVER}`)
  await app.comeUp()
  await vi.waitFor(() => expect(app.log()).toContain('process.started'), PATIENCE_MS)
  expect(app.log()).toMatch(/No signature: a[\s\S]*No signature: b[\s\S]*event.accepted/)
  expect(said).toEqual(['app    │ warn  event.refused  No signature: a'])
})
