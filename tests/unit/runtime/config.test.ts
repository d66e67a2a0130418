import {
  ConfigFaults,
  type Environment,
  flag,
  logLevel,
  oneOf,
  type Parser,
  port,
  type Read,
  readConfig,
  SETTINGS,
  Secret,
  type Setting,
  secret,
} from '@clerk-mirror/runtime'
import { describe, expect, test } from 'vitest'

const redisUrl: Parser<URL> = (raw) => {
  if (!/^rediss?:/.test(raw)) throw new Error('must begin with redis:// or rediss://')
  return new URL(raw)
}

const text: Parser<string> = (raw) => raw

const shape = (read: Read) => ({
  redisUrl: read.required('REDIS_URL', secret(redisUrl)),
  instanceId: read.optional('CLERK_INSTANCE_ID', text),
  host: read.optional('HOST', text),
  port: read.first(['INGEST_PORT', 'PORT'], port),
  allowEviction: read.optional('REDIS_ALLOW_EVICTION', flag),
  logLevel: read.optional('LOG_LEVEL', logLevel),
})

const usable: Environment = { REDIS_URL: 'redis://127.0.0.1:6379' }

function faultsOf(act: () => unknown): ConfigFaults {
  try {
    act()
  } catch (error) {
    if (error instanceof ConfigFaults) return error
    throw error
  }
  throw new Error('the configuration was accepted')
}

describe('a usable configuration', () => {
  test('takes defaults from the table for what is not set', () => {
    const { redisUrl: url, ...rest } = readConfig(usable, shape)
    expect(url.reveal().host).toBe('127.0.0.1:6379')
    expect(rest).toEqual({
      instanceId: undefined,
      host: '127.0.0.1',
      port: 8080,
      allowEviction: false,
      logLevel: 'info',
    })
  })

  test('counts an empty or blank value as not set', () => {
    const config = readConfig({ ...usable, HOST: '', CLERK_INSTANCE_ID: '  ', INGEST_PORT: '', PORT: '' }, shape)
    expect(config).toMatchObject({ host: '127.0.0.1', instanceId: undefined, port: 8080 })
  })

  test('drops the line break that a secret file or a clipboard adds', () => {
    const config = readConfig({ REDIS_URL: ' redis://127.0.0.1:6379\n' }, shape)
    expect(config.redisUrl.reveal().port).toBe('6379')
  })

  test('prefers INGEST_PORT to PORT and PORT to the default', () => {
    expect(readConfig({ ...usable, PORT: '3000' }, shape).port).toBe(3000)
    expect(readConfig({ ...usable, PORT: '3000', INGEST_PORT: '0' }, shape).port).toBe(0)
  })
})

describe('a faulty configuration', () => {
  test('is refused with all its faults at once, by name', () => {
    const error = faultsOf(() => readConfig({ PORT: 'http', REDIS_ALLOW_EVICTION: 'yes', LOG_LEVEL: 'loud' }, shape))
    expect(error.code).toBe('config_invalid')
    expect(error.faults).toEqual([
      { name: 'REDIS_URL', problem: 'is not set (example: redis://127.0.0.1:6379)' },
      { name: 'PORT', problem: 'must be a whole number from 0 to 65535' },
      { name: 'REDIS_ALLOW_EVICTION', problem: 'must be true, false, 1 or 0' },
      { name: 'LOG_LEVEL', problem: 'must be debug, info, warn, error or silent' },
    ])
    for (const { name, problem } of error.faults) expect(error.message).toContain(`  ${name} ${problem}`)
  })

  test('never shows a value, not even when a parser quotes the secret it was given', () => {
    const quoting: Parser<never> = (raw) => {
      throw new Error(`cannot read ${raw}`)
    }
    const env = { CLERK_WEBHOOK_SIGNING_SECRET: 'whsec_hunter2', PORT: 'hunter3', LOG_LEVEL: 'hunter4' }
    const error = faultsOf(() =>
      readConfig(env, (read) => [
        read.required('CLERK_WEBHOOK_SIGNING_SECRET', secret(quoting)),
        read.first(['INGEST_PORT', 'PORT'], port),
        read.optional('LOG_LEVEL', logLevel),
      ]),
    )
    expect(error.faults).toContainEqual({ name: 'CLERK_WEBHOOK_SIGNING_SECRET', problem: 'is not valid' })
    expect(JSON.stringify(error) + error.message + error.stack).not.toContain('hunter')
  })

  test('is reported even when the shape computes with the missing value', () => {
    const error = faultsOf(() => readConfig({}, (read) => read.required('REDIS_URL', secret(redisUrl)).reveal().host))
    expect(error.faults).toHaveLength(1)
  })

  test('names a setting once that is read twice', () => {
    const twice = (read: Read) => [read.required('REDIS_URL', text), read.required('REDIS_URL', text)]
    expect(faultsOf(() => readConfig({}, twice)).faults).toHaveLength(1)
  })

  test('is not blamed for a bug in the shape', () => {
    const shapeWithBug = () => {
      throw new RangeError('a bug')
    }
    expect(() => readConfig({}, shapeWithBug)).toThrow(RangeError)
  })
})

describe('parsers', () => {
  test.each(['0', '1', '8080', '65535'])('port accepts %s', (raw) => expect(port(raw)).toBe(Number(raw)))
  test.each(['65536', '-1', '80.5', '1e3', '0x50', '8080 ', '٨٠'])('port refuses %s', (raw) => {
    expect(() => port(raw)).toThrow('whole number')
  })
  test.each([
    ['true', true],
    ['1', true],
    ['false', false],
    ['0', false],
  ])('flag reads %s as %s', (raw, value) => expect(flag(raw)).toBe(value))
  test('flag refuses what only looks like a yes', () => expect(() => flag('TRUE ')).toThrow('must be'))
  test('oneOf gives back what it allows and lists it when it refuses', () => {
    expect(oneOf('red', 'green')('green')).toBe('green')
    expect(() => oneOf('red', 'green')('blue')).toThrow('must be red or green')
  })
  test('secret wraps what the inner parser made', () => {
    const wrapped = secret(port)('80')
    expect(wrapped).toBeInstanceOf(Secret)
    expect(wrapped.reveal()).toBe(80)
  })
})

describe('the table of settings', () => {
  const settings: [string, Setting][] = Object.entries(SETTINGS)

  test.each(settings)('%s is described in one or two sentences and used by somebody', (_, setting) => {
    expect(setting.doc).toMatch(/^[A-Z].*\.$/)
    expect(setting.usedBy.length).toBeGreaterThan(0)
  })

  test('gives no default to a secret and no example that would work as one', () => {
    const secrets = settings.filter(([, setting]) => setting.secret)
    expect(secrets.map(([name]) => name)).toContain('CLERK_WEBHOOK_SIGNING_SECRET')
    for (const [, setting] of secrets) expect(setting).not.toHaveProperty('default')
    expect(SETTINGS.CLERK_WEBHOOK_SIGNING_SECRET.example).not.toMatch(/^whsec_[A-Za-z0-9+/]+=*$/)
  })
})
