import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { SETTINGS, type Setting } from '@clerk-mirror/runtime'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { COMPOSE_FILE, composeEnvironment } from '../../packages/devstack/src/services/compose.js'
import { SHUTDOWN_DEADLINE_MS } from '../../packages/runtime/src/limits.js'
import { documented } from '../support/documented.js'

interface ComposeService {
  readonly image: string
  readonly build?: string
  readonly user?: string
  readonly entrypoint?: readonly string[]
  readonly command?: string | readonly string[]
  readonly read_only?: boolean
  readonly tmpfs?: readonly string[]
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly networks?: readonly string[]
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
const appOf = (service: ComposeService) => /^apps\/(\w+)\/dist\/main\.js$/.exec(programOf(service)[1] ?? '')?.[1] ?? ''

/** The program: `node apps/NAME/dist/main.js`, as the entry point or at the command's head. */
const programOf = ({ entrypoint, command }: ComposeService): readonly string[] => entrypoint ?? [...(command ?? [])]

const settings: [string, Setting][] = Object.entries(SETTINGS)
const usedBy = (setting: Setting, app: string) => (setting.usedBy as readonly string[]).includes(app)

/** The image sets the addresses to listen on, and the Redis of this file does not evict. */
const isTheFilesOwn = (name: string) => /^(?:HOST|(?:\w+_)?PORT|REDIS_ALLOW_EVICTION)$/.test(name)

describe('docker-compose.yml', () => {
  test('runs Redis, MySQL, their accounts, the migrations, ingest and the worker; the rest when asked', () => {
    const asked = Object.keys(services).filter((name) => services[name]?.profiles)
    expect(asked.toSorted()).toEqual(['console', 'ops', 'profiles'])
    const servers = ['redis', 'mysql', 'accounts', 'rights']
    const processes = ['ingest', 'migrate', 'worker', ...asked]
    expect(Object.keys(services).toSorted()).toEqual([...servers, ...processes].toSorted())
    expect(ours.map(([name]) => name).toSorted()).toEqual(processes.toSorted())
  })

  test.each(ours)('%s runs a program that is built', (_name, service) => {
    const [program, main = ''] = programOf(service)
    expect(program).toBe('node')
    expect(existsSync(fromRoot(sourceOf(main)))).toBe(true)
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
    const secrets = [...text.matchAll(/^\s*(\w*(?:PASSWORD|SECRET|TOKEN|KEY)\w*): (?!\*)(?:&\S+ )?(.*)$/gm)]
    expect(secrets.length).toBeGreaterThan(0)
    for (const [, name, value] of secrets) expect(value).toMatch(new RegExp(`^\\$\\{${name}:(\\?|-\\}( |$))`))
    // A password that a URL takes is asked for elsewhere in the file.
    for (const [, , name] of text.matchAll(/\w+:\/\/(\w+):\$\{(\w+)\}@/g)) expect(text).toContain(`${name}:?`)
    for (const [, userinfo] of text.matchAll(/\w+:\/\/([^@\s]*)@/g))
      expect(userinfo).toMatch(/^\w+:\$\{\w+_PASSWORD\}$/)
  })
})

describe('docker-compose.yml keeps each process to its own', () => {
  test('gives each process accounts of its own, which docs/hardening.md describes, and the way to those servers alone', () => {
    const accounts = ours.map(([name, { environment = {}, networks = [] }]) => {
      const user = (url = '') => /^\w+:\/\/(\w+):/.exec(url)?.[1] ?? null
      const servers = [environment['REDIS_URL'] && 'redis', environment['DATABASE_URL'] && 'mysql'].filter(Boolean)
      expect({ name, networks }).toEqual({ name, networks: servers })
      return [name, [user(environment['REDIS_URL']), user(environment['DATABASE_URL'])]]
    })
    expect(Object.fromEntries(accounts)).toEqual({
      migrate: [null, 'clerk_mirror_migrate'],
      ingest: ['ingest', null],
      worker: ['worker', 'clerk_mirror_worker'],
      profiles: [null, 'clerk_mirror_profiles'],
      console: ['console', 'clerk_mirror_console'],
      ops: ['cli', 'clerk_mirror_cli'],
    })
  })

  test('the rights are those of docs/hardening.md, letter by letter', async () => {
    const [beforeTables = '', onTables] = documented('sql')
    await expect(onTables).toMatchFileSnapshot(fromRoot('ops/compose/grants.sql'))
    await expect(documented('acl').join('')).toMatchFileSnapshot(fromRoot('ops/compose/users.acl'))
    const script = read('ops/compose/accounts.sh')
    for (const [line] of beforeTables.matchAll(/^(?:GRANT|CREATE DATABASE).*$/gm)) expect(script).toContain(line)
    for (const [, user] of beforeTables.matchAll(/^CREATE USER (\w+)/gm)) expect(script).toContain(`account ${user} `)
  })

  test.each(Object.entries(services))(
    '%s runs without root, without rights of root and on a read-only disk',
    (name, service) => {
      expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] })
      expect(service.tmpfs).toContain('/tmp')
      // Our own image says so itself.
      if (!service.build)
        expect({ name, user: service.user }).toEqual({ name, user: name === 'redis' ? 'redis' : 'mysql' })
    },
  )
})

describe('docker-compose.yml runs a road that loses nothing', () => {
  test('keeps what was acknowledged: Redis writes before it answers, and evicts nothing', () => {
    for (const option of [
      '--appendonly yes',
      '--appendfsync always',
      '--maxmemory-policy noeviction',
      '--maxmemory ',
    ]) {
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
    const order = ['accounts', 'migrate', 'rights', 'worker']
    for (const [index, name] of order.slice(1).entries()) {
      expect(services[name]?.depends_on?.[order[index] ?? '']?.condition).toBe('service_completed_successfully')
    }
  })

  test('asks for no password that ops/compose/passwords.sh does not make up', () => {
    const asked = [...text.matchAll(/\$\{(\w+_PASSWORD)\b/g)].map(([, name = '']) => name)
    const made = /^for name in (.*); do$/m.exec(read('ops/compose/passwords.sh'))?.[1]?.split(' ') ?? []
    expect(made.map((name) => `${name}_PASSWORD`).toSorted()).toEqual([...new Set(asked)].toSorted())
  })
})

describe("npm start's own compose file", () => {
  const own = readFileSync(COMPOSE_FILE, 'utf8')
  const { services: servers }: { services: Record<string, ComposeService> } = parse(own)

  test('is Redis and MySQL, with everything filled in that it asks for', () => {
    expect(Object.keys(servers)).toEqual(['redis', 'mysql'])
    const filled = composeEnvironment({ ports: { redis: 1, database: 2 }, password: 'x' })
    const names = filled
      .trim()
      .split('\n')
      .map((line) => line.split('=')[0] ?? '')
    const required = new Set([...own.matchAll(/(?<!\$)\$\{(\w+)/g)].map(([, name = '']) => name))
    expect(names.toSorted()).toEqual([...required].toSorted())
  })

  test('has the servers of docker-compose.yml, for this machine alone', () => {
    for (const name of ['redis', 'mysql']) {
      expect(servers[name]?.image).toBe(services[name]?.image)
      for (const port of servers[name]?.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/)
    }
    for (const option of [
      '--appendonly yes',
      '--appendfsync always',
      '--maxmemory-policy noeviction',
      '--maxmemory ',
    ]) {
      expect(servers['redis']?.command?.at(-1)).toContain(option)
    }
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
