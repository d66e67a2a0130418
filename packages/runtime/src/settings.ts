export type AppName = 'ingest' | 'worker' | 'cli'

interface Described {
  /** One or two plain sentences: they become the row in docs/settings.md and the comment in .env.example. */
  readonly doc: string
  readonly example: string
  readonly usedBy: readonly AppName[]
}

/** A secret has no default: a process must not start with one that everybody can read. */
export type Setting = Described &
  ({ readonly secret: true; readonly default?: never } | { readonly secret?: never; readonly default?: string })

/** Every environment name that a process reads. The documents are kept equal to this table by a test. */
export const SETTINGS = {
  REDIS_URL: {
    doc: 'Redis that holds the events until they are applied. `rediss://` is TLS; several nodes of a cluster are separated by commas.',
    example: 'redis://127.0.0.1:6379',
    secret: true,
    usedBy: ['ingest', 'worker', 'cli'],
  },
  DATABASE_URL: {
    doc: 'MySQL, MariaDB or PlanetScale database that holds the mirror. TLS is on for every host that is not local, unless `sslaccept=disabled`.',
    example: 'mysql://user:password@127.0.0.1:3306/clerk_mirror',
    secret: true,
    usedBy: ['worker', 'cli'],
  },
  CLERK_WEBHOOK_SIGNING_SECRET: {
    doc: 'Signing secret of the webhook endpoint in the Clerk dashboard. While you rotate it, put the new and the old one here, separated by a comma or a space.',
    example: 'whsec_COPY_IT_FROM_THE_CLERK_DASHBOARD',
    secret: true,
    usedBy: ['ingest'],
  },
  CLERK_INSTANCE_ID: {
    doc: 'Id of your Clerk instance. When it is set, events of another instance are acknowledged and ignored.',
    example: 'ins_2abcDEF',
    usedBy: ['ingest'],
  },
  MIRROR_KINDS: {
    doc: 'Kinds of Clerk objects to mirror, separated by commas: `*` is all of them, `-kind` leaves one out.',
    default: '*,-session',
    example: 'user,organization,organizationMembership',
    usedBy: ['worker'],
  },
  HOST: {
    doc: 'Address that the processes listen on. `0.0.0.0` is every interface; the container image sets it.',
    default: '127.0.0.1',
    example: '0.0.0.0',
    usedBy: ['ingest', 'worker'],
  },
  INGEST_PORT: {
    doc: 'Public port of ingest, which receives `POST /webhooks/clerk`. 0 takes any free port.',
    default: '8080',
    example: '8080',
    usedBy: ['ingest'],
  },
  PORT: {
    doc: 'Public port of ingest when INGEST_PORT is not set; many hosting platforms set it.',
    example: '3000',
    usedBy: ['ingest'],
  },
  WORKER_PORT: {
    doc: 'Port of the worker for `/livez`, `/readyz` and `/metrics`. 0 takes any free port.',
    default: '8081',
    example: '8081',
    usedBy: ['worker'],
  },
  METRICS_PORT: {
    doc: 'Port of ingest for `/metrics`, so that they are never on the public port. 0 takes any free port.',
    default: '9090',
    example: '9090',
    usedBy: ['ingest'],
  },
  REDIS_ALLOW_EVICTION: {
    doc: 'Accept a Redis whose maxmemory-policy may evict events that were already acknowledged. Otherwise ingest refuses to be ready on one.',
    default: 'false',
    example: 'true',
    usedBy: ['ingest'],
  },
  LOG_LEVEL: {
    doc: 'Least severe level that is logged: `debug`, `info`, `warn`, `error` or `silent`.',
    default: 'info',
    example: 'debug',
    usedBy: ['ingest', 'worker', 'cli'],
  },
} as const satisfies Record<string, Setting>

export type SettingName = keyof typeof SETTINGS

/** The settings that always have a value. */
export type DefaultedName = {
  [N in SettingName]: (typeof SETTINGS)[N] extends { readonly default: string } ? N : never
}[SettingName]
