import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { ConfigFaults, runProcess } from '@clerk-mirror/runtime'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { SAME_SIGNAL_MS } from '../../../packages/runtime/src/limits.js'
import { PATIENCE_MS } from '../../support/until.js'

const FIXTURE = fileURLToPath(new URL('../../support/processes/runtime-process.mjs', import.meta.url))

interface Line {
  readonly event: string
  readonly level: string
  readonly [field: string]: unknown
}

/** A process of its own, for exit codes and signals belong to processes. */
function spawned(behaviour: string, { workerPort = '0', deadlineMs = 20_000, shutdownDelayMs = 0 } = {}) {
  const argument = JSON.stringify({ behaviour, environment: { WORKER_PORT: workerPort }, deadlineMs, shutdownDelayMs })
  const child: ChildProcess = spawn(process.execPath, [FIXTURE, argument])
  onTestFinished(() => void child.kill('SIGKILL'))
  const output = { stdout: '', stderr: '' }
  child.stdout?.on('data', (chunk) => {
    output.stdout += chunk
  })
  child.stderr?.on('data', (chunk) => {
    output.stderr += chunk
  })
  const closed = once(child, 'close')
  const lines = (): Line[] =>
    output.stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line))
  return {
    output,
    lines,
    events: () => lines().map(({ event }) => event),
    line: (event: string) => lines().find((line) => line.event === event),
    signal: (name: NodeJS.Signals = 'SIGTERM') => child.kill(name),
    says: (event: string) => vi.waitFor(() => expect(lines().map((line) => line.event)).toContain(event), PATIENCE_MS),
    exitCode: async (): Promise<unknown> => (await closed)[0],
    running: () => child.exitCode === null && child.signalCode === null,
  }
}

describe('a process that is told to stop', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('by %s releases everything in reverse and exits 0', async (signal) => {
    const child = spawned('healthy')
    await child.says('process.started')
    child.signal(signal)
    expect(await child.exitCode()).toBe(0)
    expect(child.events().slice(2)).toEqual(['process.stopping', 'test.released', 'test.released', 'process.stopped'])
    expect(child.line('process.stopping')).toMatchObject({ signal, app: 'test', level: 'info' })
    expect(child.line('test.released')).toMatchObject({ what: 'last acquired' })
    expect(child.output.stderr).toBe('')
  })

  test('takes the two signals of one Ctrl-C under npm for one, and waits for its deadline', async () => {
    const child = spawned('hangs-in-release', { deadlineMs: 200 })
    await child.says('process.started')
    child.signal('SIGINT')
    await child.says('process.stopping')
    child.signal('SIGINT')
    expect(await child.exitCode()).toBe(1)
    expect(child.events().slice(-2)).toEqual(['process.stopping', 'process.stop_deadline'])
  })

  test('exits 1 at once when it is signalled again while it stops', async () => {
    const child = spawned('hangs-in-release')
    await child.says('process.started')
    await vi.waitFor(() => expect(child.signal() && child.running()).toBe(false), {
      timeout: PATIENCE_MS,
      interval: 50,
    })
    expect(await child.exitCode()).toBe(1)
    expect(child.line('process.stop_forced')).toMatchObject({ level: 'error', signal: 'SIGTERM' })
  })

  test('exits 1 when it cannot stop before its deadline, and says so', async () => {
    const child = spawned('hangs-in-release', { deadlineMs: 200 })
    await child.says('process.started')
    child.signal()
    expect(await child.exitCode()).toBe(1)
    expect(child.line('process.stop_deadline')).toMatchObject({ level: 'error', deadlineMs: 200 })
  })

  test('exits 1 when something could not be released, after releasing the rest', async () => {
    const child = spawned('fails-in-release')
    await child.says('process.started')
    child.signal()
    expect(await child.exitCode()).toBe(1)
    expect(child.line('process.stop_failed')).toMatchObject({ err: { message: 'drain failed' } })
    expect(child.events().filter((event) => event === 'test.released')).toHaveLength(2)
  })

  test('while it starts gives up the start, releases what it has and exits 0', async () => {
    const child = spawned('waits-to-start')
    await child.says('test.waiting')
    child.signal()
    expect(await child.exitCode()).toBe(0)
    expect(child.events()).toContain('process.start_interrupted')
    expect(child.events().filter((event) => event === 'test.released')).toHaveLength(2)
  })

  test('while a start hangs exits 1 at the deadline', async () => {
    const child = spawned('hangs-in-start', { deadlineMs: 200 })
    await child.says('test.waiting')
    child.signal()
    expect(await child.exitCode()).toBe(1)
    expect(child.events()).toContain('process.stop_deadline')
  })
})

describe('a process that serves on for a while after SIGTERM', () => {
  const LONG_MS = 600_000

  test('releases nothing until the delay is over, and has its whole deadline then', async () => {
    const shutdownDelayMs = 2_000
    const child = spawned('healthy', { shutdownDelayMs, deadlineMs: shutdownDelayMs - 100 })
    await child.says('process.started')
    child.signal()
    expect(await child.exitCode()).toBe(0)
    expect(child.line('process.stopping')).toMatchObject({ delayMs: shutdownDelayMs })
    const atMs = (event: string) => Date.parse(String(child.line(event)?.['time']))
    expect(atMs('test.released') - atMs('process.stopping')).toBeGreaterThanOrEqual(shutdownDelayMs - 100)
    expect(child.events().slice(-3)).toEqual(['test.released', 'test.released', 'process.stopped'])
  })

  test('stops at once when it is signalled again, and exits 0', async () => {
    const child = spawned('healthy', { shutdownDelayMs: LONG_MS })
    await child.says('process.started')
    const startedMs = performance.now()
    child.signal()
    await vi.waitFor(() => expect(performance.now() - startedMs).toBeGreaterThan(2 * SAME_SIGNAL_MS), PATIENCE_MS)
    child.signal()
    expect(await child.exitCode()).toBe(0)
    expect(child.events()).not.toContain('process.stop_forced')
  })

  test('does not do so after Ctrl-C, nor while it starts, nor when it crashes meanwhile', async () => {
    const interrupted = spawned('healthy', { shutdownDelayMs: LONG_MS })
    await interrupted.says('process.started')
    interrupted.signal('SIGINT')
    expect(await interrupted.exitCode()).toBe(0)
    const starting = spawned('waits-to-start', { shutdownDelayMs: LONG_MS })
    await starting.says('test.waiting')
    starting.signal()
    expect(await starting.exitCode()).toBe(0)
    const crashing = spawned('throws-when-told-to-stop', { shutdownDelayMs: LONG_MS })
    await crashing.says('process.started')
    crashing.signal()
    expect(await crashing.exitCode()).toBe(1)
  })
})

describe('a process that cannot start', () => {
  test('for its configuration lists the faults on standard error and exits 1 before it opens anything', async () => {
    const child = spawned('healthy', { workerPort: 'hunter2' })
    expect(await child.exitCode()).toBe(1)
    expect(child.output.stderr).toBe(
      'test: the configuration cannot be used:\n  WORKER_PORT must be a whole number from 0 to 65535\n',
    )
    expect(child.output.stdout).toBe('')
  })

  test('for a taken port says which port and which setting, in one line, and exits 1', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const address = other.address()
    const taken = String(typeof address === 'object' && address?.port)
    const child = spawned('healthy', { workerPort: taken })
    expect(await child.exitCode()).toBe(1)
    other.close()
    const failed = child.line('process.start_failed')
    expect(failed).toMatchObject({ level: 'error', code: 'port_in_use' })
    expect(failed?.['msg']).toMatch(new RegExp(`port ${taken} .* WORKER_PORT`))
    expect(child.line('test.released')).toMatchObject({ what: 'first acquired' })
    expect(child.output.stderr).toBe('')
  })

  test('for any other error logs it and exits 1', async () => {
    const child = spawned('fails-to-start')
    expect(await child.exitCode()).toBe(1)
    expect(child.line('process.start_failed')).toMatchObject({ err: { message: 'no schema', code: 'E_TEST' } })
    expect(child.output.stdout + child.output.stderr).not.toContain('ada@')
  })
})

describe('a process with an error that nobody caught', () => {
  test.each([
    ['rejects', 'unhandledRejection'],
    ['throws', 'uncaughtException'],
  ])('that %s logs it without its payload, releases everything and exits 1', async (behaviour, origin) => {
    const child = spawned(behaviour)
    expect(await child.exitCode()).toBe(1)
    expect(child.line('process.crashed')).toMatchObject({
      level: 'error',
      origin,
      err: { name: 'Error', message: 'nobody caught this', stack: expect.stringContaining('runtime-process.mjs') },
    })
    expect(child.events()).toContain('process.stopped')
    expect(child.output.stdout + child.output.stderr).not.toContain('ada@')
  })

  test('that is not even an Error exits 1 and shows nothing of it', async () => {
    const child = spawned('throws-a-payload')
    expect(await child.exitCode()).toBe(1)
    expect(child.line('process.crashed')).toMatchObject({ err: { name: 'NotAnError' } })
    expect(child.output.stdout + child.output.stderr).not.toContain('ada@')
  })
})

test('a process that finds that it cannot go on says why, releases everything and exits 1', async () => {
  const child = spawned('gives-up')
  expect(await child.exitCode()).toBe(1)
  const failed = { level: 'error', code: 'test_wedged', msg: 'nothing moves: exits, to be started again' }
  expect(child.lines().filter(({ level }) => level === 'error')).toEqual([expect.objectContaining(failed)])
  expect(child.events().filter((event) => event === 'test.released')).toHaveLength(2)
})

test('nothing is started with a faulty configuration', async () => {
  const codes: number[] = []
  const start = vi.fn()
  const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  const faulty = () => {
    throw new ConfigFaults([{ name: 'REDIS_URL', problem: 'is not set' }])
  }
  await runProcess('worker', faulty, start, { exit: (code) => codes.push(code) })
  expect(stderr.mock.calls.join('')).toContain('  REDIS_URL is not set')
  stderr.mockRestore()
  expect(codes).toEqual([1])
  expect(start).not.toHaveBeenCalled()
})
