import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { SETTINGS, type Setting } from '@clerk-mirror/runtime'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { composeEnvironment } from '../../packages/devstack/src/services/compose.js'
import { SHUTDOWN_DEADLINE_MS } from '../../packages/runtime/src/policy.js'

interface ComposeService {
  readonly image: string
  readonly build?: string
  readonly command?: string | readonly string[]
  readonly container_name?: string
  readonly profiles?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly ports?: readonly string[]
  readonly restart: string
  readonly stop_grace_period: string
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
}

const fromRoot = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const read = (path: string) => readFileSync(fromRoot(path), 'utf8')

const text = read('docker-compose.yml')
const { services }: { services: Record<string, ComposeService> } = parse(text, { merge: true })
const ours = Object.entries(services).filter(([, { build }]) => build !== undefined)
const scripts: Record<string, string> = JSON.parse(read('package.json')).scripts

/** The source of a compiled main file, so that the check needs no build. */
const sourceOf = (compiled: string) => compiled.replace('/dist/', '/src/').replace(/\.js$/, '.ts')

/** Which of our apps a service runs: `node apps/NAME/dist/main.js …`. */
const appOf = ({ command }: ComposeService) => /^apps\/(\w+)\/dist\/main\.js$/.exec(command?.[1] ?? '')?.[1] ?? ''

const settings: [string, Setting][] = Object.entries(SETTINGS)
const usedBy = (setting: Setting, app: string) => (setting.usedBy as readonly string[]).includes(app)

/** The image sets the addresses to listen on, and the Redis of this file does not evict. */
const isTheFilesOwn = (name: string) => /^(?:HOST|(?:\w+_)?PORT|REDIS_ALLOW_EVICTION)$/.test(name)

describe('docker-compose.yml', () => {
  test('runs Redis, MySQL, the migrations, ingest and the worker; profiles and the console when asked', () => {
    const asked = Object.keys(services).filter((name) => services[name]?.profiles)
    expect(asked.toSorted()).toEqual(['console', 'profiles'])
    const servers = ['redis', 'mysql']
    const processes = ['ingest', 'migrate', 'worker', ...asked]
    expect(Object.keys(services).toSorted()).toEqual([...servers, ...processes].toSorted())
    expect(ours.map(([name]) => name).toSorted()).toEqual(processes.toSorted())
  })

  test.each(ours)('%s runs a program that is built', (_name, service) => {
    expect(service.command?.[0]).toBe('node')
    expect(existsSync(fromRoot(sourceOf(service.command?.[1] ?? '')))).toBe(true)
  })

  test.each(ours)('%s is given settings that it reads, and none of them is unknown', (_name, service) => {
    const read = settings.filter(([, setting]) => usedBy(setting, appOf(service))).map(([name]) => name)
    expect(read).toEqual(expect.arrayContaining(Object.keys(service.environment ?? {})))
  })

  test.each(['ingest', 'worker', 'profiles', 'console'])(
    '%s is given every setting that it reads: what stands in .env and is not named here does not reach it',
    (name) => {
      const read = settings.filter(([key, setting]) => usedBy(setting, name) && !isTheFilesOwn(key)).map(([key]) => key)
      expect(Object.keys(services[name]?.environment ?? {})).toEqual(expect.arrayContaining(read))
    },
  )

  test('publishes ports on this machine alone', () => {
    const published = Object.values(services).flatMap(({ ports }) => ports ?? [])
    expect(published).toHaveLength(5)
    for (const port of published) expect(port).toMatch(/^127\.0\.0\.1:/)
  })

  test('lets the worker be scaled: nothing of it can be there only once', () => {
    expect(services['worker']).not.toHaveProperty('ports')
    expect(services['worker']).not.toHaveProperty('container_name')
  })

  test('holds no secret: each comes from outside and has no default', () => {
    const secrets = text.matchAll(/^\s*(\w*(?:PASSWORD|SECRET|TOKEN|KEY)\w*): (.*)$/gm)
    for (const [, name, value] of secrets) expect(value).toMatch(new RegExp(`^\\$\\{${name}:(\\?|-\\}( |$))`))
    for (const [, userinfo] of text.matchAll(/\w+:\/\/([^@\s]*)@/g)) {
      expect(userinfo).toMatch(/^clerk_mirror:\$\{MYSQL_PASSWORD\}$/)
    }
  })

  test('keeps what was acknowledged: Redis writes before it answers, and evicts nothing', () => {
    for (const option of ['--appendonly yes', '--appendfsync always', '--maxmemory-policy noeviction']) {
      expect(services['redis']?.command).toContain(option)
    }
  })

  test('gives each process the time that it takes to drain, and starts it again when it exits', () => {
    for (const [, { stop_grace_period }] of ours) {
      expect(Number(/^(\d+)s$/.exec(stop_grace_period)?.[1]) * 1000).toBeGreaterThan(SHUTDOWN_DEADLINE_MS)
    }
    for (const name of ['ingest', 'worker']) expect(services[name]?.restart).toBe('unless-stopped')
  })

  test('lets ingest accept events while MySQL is away, and the worker wait for the migrations', () => {
    expect(Object.keys(services['ingest']?.depends_on ?? {})).toEqual(['redis'])
    expect(services['worker']?.depends_on?.['migrate']?.condition).toBe('service_completed_successfully')
  })

  test('can be started for Redis and MySQL alone with what npm start fills in', () => {
    const filled = composeEnvironment({ ports: { redis: 1, database: 2 }, password: 'x' })
    const names = filled.split('\n').map((line) => line.split('=')[0])
    const required = [...text.matchAll(/\$\{(\w+):\?/g)].map(([, name]) => name)
    expect(names).toEqual(expect.arrayContaining([...required, 'REDIS_HOST_PORT', 'MYSQL_HOST_PORT']))
  })
})

describe('Dockerfile', () => {
  const dockerfile = read('Dockerfile')

  test('runs scripts and programs that exist', () => {
    for (const [, script] of dockerfile.matchAll(/npm run (\S+)/g)) expect(Object.keys(scripts)).toContain(script)
    const main = /^CMD \["node", "(.+)"\]$/m.exec(dockerfile)?.[1] ?? ''
    expect(existsSync(fromRoot(sourceOf(main)))).toBe(true)
  })

  test('listens on every interface of the container, not as root, and asks the process whether it lives', () => {
    const final = dockerfile.slice(dockerfile.lastIndexOf('FROM '))
    expect(final).toMatch(/^ENV .*\bHOST=0\.0\.0\.0\b/m)
    expect(final).toMatch(/^USER node$/m)
    expect(final).toMatch(/^HEALTHCHECK [\s\S]*\/livez/m)
  })

  test('takes nothing of the machine that builds it: secrets, builds or data', () => {
    const ignored = read('.dockerignore').split('\n')
    expect(ignored).toEqual(expect.arrayContaining(['.env*', '.data', '.git', '**/node_modules', '**/dist']))
  })
})
