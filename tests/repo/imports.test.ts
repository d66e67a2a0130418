import { posix } from 'node:path'
import { expect, test } from 'vitest'
import { entryOf, type Import, importsOf, isRelative, oursOf, packageOf, targetOf } from './imports.js'
import { isApp, sources, workspaceOf, workspaces } from './tree.js'

/**
 * Our packages that each may import; `queue/gauges` is a single entry point. Ingest must enqueue while MySQL is down,
 * so no import there may lead to it; and it reaches the producers' side of the queue alone.
 */
const OURS: Readonly<Record<string, readonly string[]>> = {
  'packages/events': [],
  'packages/pages': [],
  'packages/runtime': [],
  'packages/clerk-api': ['events', 'runtime'],
  'packages/queue': ['events', 'runtime'],
  'packages/mirror': ['events'],
  'packages/operations': ['clerk-api', 'events', 'queue', 'mirror', 'runtime'],
  'packages/devstack': ['events', 'mirror', 'operations', 'queue', 'runtime'],
  'apps/ingest': ['events', 'queue/enqueue', 'queue/gauges', 'runtime'],
}
const OURS_OF_AN_APP = ['clerk-api', 'events', 'mirror', 'operations', 'pages', 'queue', 'runtime']

/** Behind which doors each third party is hidden; a folder stands for all that is in it. */
const THIRD_PARTIES: Readonly<Record<string, readonly string[]>> = {
  '@bull-board/api': ['apps/console/'],
  '@bull-board/fastify': ['apps/console/'],
  '@clerk/backend': ['apps/profiles/'],
  '@fastify/swagger': ['apps/profiles/'],
  '@opentelemetry/api': ['packages/runtime/'],
  '@opentelemetry/exporter-trace-otlp-http': ['packages/runtime/'],
  '@opentelemetry/resources': ['packages/runtime/'],
  '@opentelemetry/sdk-trace-base': ['packages/runtime/'],
  '@prisma/adapter-mariadb': ['packages/mirror/', 'packages/devstack/'],
  '@prisma/client': ['packages/mirror/', 'packages/devstack/'],
  bullmq: ['packages/queue/'],
  fastify: ['apps/'],
  ioredis: ['packages/queue/'],
  mariadb: ['packages/mirror/', 'packages/devstack/'],
  pino: ['packages/runtime/'],
  'pino-pretty': ['packages/runtime/'],
  'prom-client': ['packages/runtime/'],
  undici: ['apps/worker/', 'packages/clerk-api/'],
  svix: ['apps/ingest/', 'apps/worker/', 'packages/devstack/'],
}

/** Within a package: the folders that each folder may import from. Files beside the folders are free. */
const FOLDERS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  'packages/mirror': {
    database: ['generated'],
    projections: ['database'],
    apply: ['database', 'generated', 'projections'],
    migrate: ['database'],
    profiles: ['apply', 'database', 'generated'],
    operate: ['apply', 'database', 'generated', 'migrate', 'projections'],
  },
}

const imports = sources().flatMap(importsOf)
const said = ({ file, to }: Import) => `${file} imports ${to}`
const home = ({ file }: Import) => workspaceOf(file) ?? ''

test('each package of ours imports only the packages below it, an app never another app, and nothing devstack', () => {
  const forbidden = imports.filter((each) => {
    const name = oursOf(each.to ?? '')
    const entry = each.to?.split('/').slice(1).join('/') ?? ''
    const allowed = OURS[home(each)] ?? (isApp(home(each)) ? OURS_OF_AN_APP : [])
    return name !== null && !allowed.includes(name) && !allowed.includes(entry)
  })
  expect(forbidden.map(said)).toEqual([])
})

test('every package says here what it may import', () => {
  expect(workspaces().filter((folder) => !isApp(folder) && OURS[folder] === undefined)).toEqual([])
})

test('a package is entered by one of its entry points', () => {
  const past = imports.filter(({ to }) => oursOf(to ?? '') !== null && entryOf(to ?? '') === null)
  expect(past.map(said)).toEqual([])
})

const QUEUE = 'packages/queue/src/'
const BELOW = ['heartbeats', 'job', 'lua', 'redis']
/** The wings of packages/queue, and the wings that each may import besides its own. Files outside them are for all. */
const WINGS: Readonly<Record<string, readonly string[]>> = {
  operate: ['reactions', ...BELOW],
  consume: BELOW,
  enqueue: BELOW,
  reactions: BELOW,
  heartbeats: ['lua', 'redis'],
  job: ['lua', 'redis'],
  lua: ['redis'],
  redis: [],
}
const wingOf = (file: string | null) => /^packages\/queue\/src\/([^/]+)\//.exec(file ?? '')?.[1] ?? null

test('between the wings of the queue, imports go one way', () => {
  const inWings = imports.filter(({ file }) => wingOf(file) !== null)
  const upwards = inWings.filter((each) => {
    const [from, to] = [wingOf(each.file) ?? '', wingOf(targetOf(each))]
    return isRelative(each.to ?? '') && to !== null && to !== from && !WINGS[from]?.includes(to)
  })
  expect(upwards.map(said)).toEqual([])
  const wings = sources()
    .filter((file) => file.startsWith(QUEUE))
    .map(wingOf)
  expect(new Set(wings.filter((wing) => wing !== null))).toEqual(new Set(Object.keys(WINGS)))
})

test('each third party is imported behind its own doors, and one that has none nowhere', () => {
  const forbidden = imports.filter((each) => {
    const name = packageOf(each.to ?? '.')
    if (name === null || oursOf(name) !== null) return false
    return !THIRD_PARTIES[name]?.some((door) => `${home(each)}/`.startsWith(door))
  })
  expect(forbidden.map(said)).toEqual([])
})

test('a relative import stays in its own package and leads to a file', () => {
  const astray = imports.filter((each) => {
    if (!isRelative(each.to ?? '') || isGenerated(each)) return false
    return !targetOf(each)?.startsWith(`${home(each)}/src/`)
  })
  expect(astray.map(said)).toEqual([])
})

test('the folders of a package import one way', () => {
  const upwards = imports.filter((each) => {
    const folders = FOLDERS[home(each)]
    const [from, to] = [each.file, targetPath(each)].map((path) => path.slice(`${home(each)}/src/`.length).split('/'))
    if (!folders || !isRelative(each.to ?? '') || from?.length !== 2 || to?.length !== 2) return false
    const [folder = '', other = ''] = [from[0], to[0]]
    return folder !== other && !folders[folder]?.includes(other)
  })
  expect(upwards.map(said)).toEqual([])
})

/** The imported path as it is written; the file need not exist, for Prisma's client is there only after a build. */
const targetPath = ({ file, to }: Import) => posix.join(posix.dirname(file), to ?? '')

/** Prisma's client is there only after a build. */
const isGenerated = ({ to }: Import) => to !== null && to !== undefined && /^\.{1,2}\/generated\//.test(to)

test('a module is named where it is imported, not computed, and never required', () => {
  expect(imports.filter(({ to }) => to === null).map(({ file }) => file)).toEqual([])
})
