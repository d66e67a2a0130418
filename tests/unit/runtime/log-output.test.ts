import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { until } from '../../support/until.js'

const MINUTE_MS = 60_000
const FIXTURE = fileURLToPath(new URL('../../support/processes/runtime-process.mjs', import.meta.url))

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'clerk-mirror-log-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A process with a pipe of 64 KiB as standard output; the test reads it once, for the port, and later on demand. */
async function spawnOnPipe(behaviour: string) {
  const path = join(temporaryFolder(), 'pipe')
  execFileSync('mkfifo', [path])
  const reader = new Socket({ fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK), writable: false })
  const end = openSync(path, constants.O_WRONLY)
  const argument = JSON.stringify({ behaviour, environment: { WORKER_PORT: '0' }, deadlineMs: 5_000 })
  const child = spawn(process.execPath, [FIXTURE, argument], { stdio: ['ignore', end, 'pipe'] })
  closeSync(end)
  const exited = once(child, 'exit').then(([code]) => code as number | null)
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exited
    reader.destroy()
  })
  let rest = ''
  const lines: { event: string; [field: string]: unknown }[] = []
  reader.setEncoding('utf8').on('data', (chunk: string) => {
    const whole = (rest + chunk).split('\n')
    rest = whole.pop() ?? ''
    for (const line of whole) lines.push(JSON.parse(line))
  })
  const line = (event: string) => lines.find((each) => each.event === event)
  await until(() => line('health.listening') !== undefined)
  const url = `http://127.0.0.1:${line('health.listening')?.['port']}`
  const ask = async (route: string) => (await fetch(url + route, { signal: AbortSignal.timeout(20_000) })).text()
  const dropped = async () =>
    Number(/^clerk_mirror_log_lines_dropped_total\{.*\} (\d+)$/m.exec(await ask('/metrics'))?.[1] ?? 0)
  return { child, reader, exited, lines, line, ask, dropped }
}

test(
  'a reader that stalls stops nobody: lines are dropped, counted, and missed in a line of their own',
  async () => {
    const { reader, line, lines, ask, dropped } = await spawnOnPipe('talks')
    reader.pause()
    await until(async () => (await dropped()) > 1_000)
    expect(JSON.parse(await ask('/livez'))).toEqual({ status: 'ok' })
    const before = await dropped()
    reader.resume()
    await until(() => line('log.dropped') !== undefined)
    expect(line('log.dropped')).toMatchObject({ level: 'warn', app: 'test', lines: expect.any(Number) })
    expect(Number(line('log.dropped')?.['lines'])).toBeGreaterThanOrEqual(before)
    // Every line that came through is whole, or it would not have been read; and lines go on.
    const read = lines.length
    await until(() => lines.length > read)
  },
  MINUTE_MS,
)

test(
  'a reader that is closed stops nobody either',
  async () => {
    const { child, reader, ask, dropped, exited } = await spawnOnPipe('talks')
    reader.destroy()
    await until(async () => (await dropped()) > 1_000)
    expect(JSON.parse(await ask('/livez'))).toEqual({ status: 'ok' })
    child.kill('SIGTERM')
    expect(await exited).toBe(0)
  },
  MINUTE_MS,
)

test.each([
  { reader: 'a pipe', command: '"$0" "$1" "$2" | cat > "$3"' },
  { reader: 'a file', command: '"$0" "$1" "$2" > "$3"' },
])(
  'a process that crashes in the middle of many lines writes all of them to $reader',
  async ({ command }) => {
    const path = join(temporaryFolder(), 'log')
    const argument = JSON.stringify({ behaviour: 'fails-while-it-talks', environment: { WORKER_PORT: '0' } })
    const child = spawn('sh', ['-c', command, process.execPath, FIXTURE, argument, path], { stdio: 'ignore' })
    await once(child, 'exit')
    const text = readFileSync(path, 'utf8')
    expect(text.match(/test\.talking/g)).toHaveLength(2_000)
    expect(text).toContain('process.crashed')
    expect(text).toMatch(/process\.stopped.*\n$/)
  },
  MINUTE_MS,
)

test(
  'a process that crashes does not wait long for a reader that never reads',
  async () => {
    const { reader, exited } = await spawnOnPipe('fails-while-it-talks')
    reader.pause()
    expect(await exited).toBe(1)
  },
  MINUTE_MS,
)
