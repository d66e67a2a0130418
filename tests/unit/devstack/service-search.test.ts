import { createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import { missingServices } from '../../../packages/devstack/src/services/install-advice.js'
import { choosePort, isPortFree } from '../../../packages/devstack/src/services/ports.js'
import { complaintIn, findProgram, run } from '../../../packages/devstack/src/services/programs.js'

describe('a port', () => {
  const listening = async () => {
    const server = createServer()
    const port = await choosePort()
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    return { port, [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())) }
  }

  test('is the same as last time while it is free', async () => {
    const port = await choosePort()
    expect(await choosePort(port)).toBe(port)
  })

  test('is another when somebody has taken it', async () => {
    await using other = await listening()
    expect(await isPortFree(other.port)).toBe(false)
    expect(await choosePort(other.port)).not.toBe(other.port)
  })

  test('lies below those that systems hand out to clients', async () => {
    for (let i = 0; i < 20; i++) expect(await choosePort()).toBeLessThan(32_768)
  })
})

describe('a program', () => {
  test('is the first of the names that the machine has', async () => {
    expect(await findProgram('no-such-program', 'sh', 'ls')).toMatch(/\/sh$/)
    expect(await findProgram('no-such-program')).toBeUndefined()
  })

  test('that cannot be run or does not end has no exit code', async () => {
    expect(await run('no-such-program', [])).toMatchObject({ exitCode: null })
    expect(await run('sleep', ['60'], { withinMs: 50 })).toMatchObject({ exitCode: null })
  })

  test('is quoted with the line that tells why it failed, else with its last', () => {
    expect(complaintIn('starting\n[ERROR] no such option\nbye\n')).toBe('[ERROR] no such option')
    expect(complaintIn('starting\nbye\n')).toBe('bye')
    expect(complaintIn('')).toBe('it said nothing')
  })
})

describe('what to install', () => {
  test('names only what is missing, on each platform', () => {
    const { code, message } = missingServices(['redis'])
    expect(code).toBe('no_redis')
    expect(message).toMatch(/Debian, Ubuntu .*redis-tools$/m)
    expect(message).toMatch(/Fedora .*valkey$/m)
    expect(message).toMatch(/macOS .*brew install redis$/m)
    expect(message).toMatch(/Windows .*WSL/)
    expect(message).toContain('REDIS_URL')
    expect(message).not.toMatch(/mariadb|DATABASE_URL/)
  })

  test('names both when both are missing', () => {
    expect(missingServices(['database']).code).toBe('no_mysql')
    const { code, message } = missingServices(['redis', 'database'])
    expect(code).toBe('no_redis')
    expect(message).toMatch(/brew install redis mariadb$/m)
    expect(message).toContain('REDIS_URL and DATABASE_URL')
  })
})
