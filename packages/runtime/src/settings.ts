export type AppName = 'ingest' | 'worker' | 'console' | 'profiles' | 'cli'

interface Described {
  /** One or two plain sentences: they become the row in docs/settings.md and the comment in .env.example. */
  readonly doc: string
  readonly example: string
  readonly usedBy: readonly AppName[]
}

interface Default {
  readonly default?: string
  /** Defaults of apps that differ. */
  readonly defaultOf?: Partial<Readonly<Record<AppName, string>>>
}

/** A secret has no default: a process must not start with one that is public. */
export type Setting = Described &
  (({ readonly secret: true } & { readonly [K in keyof Default]?: never }) | ({ readonly secret?: never } & Default))

/** Every environment variable that a process reads. A test keeps the documents equal to this table. */
export const SETTINGS = {
  REDIS_URL: {
    doc: 'Redis that holds the events until they are applied. `rediss://` is TLS; several nodes of a cluster are separated by commas.',
    example: 'redis://127.0.0.1:6379',
    secret: true,
    usedBy: ['ingest', 'worker', 'console', 'cli'],
  },
  DATABASE_URL: {
    doc: 'MySQL, MariaDB or PlanetScale database that holds the mirror. TLS is on for every host that is not local, unless `sslaccept=disabled`.',
    example: 'mysql://clerk_mirror:MAKE_UP_A_PASSWORD@127.0.0.1:3306/clerk_mirror',
    secret: true,
    usedBy: ['worker', 'console', 'profiles', 'cli'],
  },
  CLERK_WEBHOOK_SIGNING_SECRET: {
    doc: 'Signing secret of the webhook endpoint in the Clerk dashboard. While you rotate it, put the new and the old one here, separated by a comma or a space.',
    example: 'whsec_COPY_IT_FROM_THE_CLERK_DASHBOARD',
    secret: true,
    usedBy: ['ingest'],
  },
  ENVELOPE_KEYS: {
    doc: 'Keys that encrypt the payloads in Redis: `id:base64` of 32 bytes, made with `openssl rand -base64 32`; several are separated by commas or spaces. The first one encrypts, all of them decrypt. Without any, payloads wait in clear text.',
    example: '2026-11:MAKE_ONE_WITH_OPENSSL_RAND',
    secret: true,
    usedBy: ['ingest', 'worker', 'console', 'cli'],
  },
  CLERK_INSTANCE_ID: {
    doc: 'Id of your Clerk instance, which begins with ins_. When it is set, commands that read from Clerk refuse the secret key of another instance, and events of another instance are acknowledged and dropped, with a warning `ingest.dropping` in the log for the first one.',
    example: 'ins_2abcDEF',
    usedBy: ['ingest', 'cli'],
  },
  CLERK_SECRET_KEY: {
    doc: 'Secret key of your Clerk instance (dashboard: API keys), with which commands read from Clerk. Set it where they run, and nowhere else: ingest and workers need none.',
    example: 'sk_live_COPY_IT_FROM_THE_CLERK_DASHBOARD',
    secret: true,
    usedBy: ['cli'],
  },
  CLERK_API_URL: {
    doc: "Address of Clerk's Backend API; `/v1/…` follows it.",
    default: 'https://api.clerk.com',
    example: 'https://api.clerk.com',
    usedBy: ['cli'],
  },
  CLERK_JWT_KEY: {
    doc: 'PEM public key of your Clerk instance (dashboard: API keys, JWKS public key), which verifies session tokens without a request to Clerk. Line breaks may be written as `\\n` or spaces, or left out. Without it profiles are read-only.',
    example: '-----BEGIN PUBLIC KEY-----\\nCOPY_IT_FROM_THE_CLERK_DASHBOARD\\n-----END PUBLIC KEY-----',
    usedBy: ['profiles'],
  },
  CLERK_AUTHORIZED_PARTIES: {
    doc: 'Origins of the pages that session tokens are accepted from, separated by commas. Set it in production: without it, a token made for another page of the same Clerk instance is accepted too.',
    example: 'https://profiles.example.com',
    usedBy: ['profiles'],
  },
  CLERK_PUBLISHABLE_KEY: {
    doc: "Publishable key of your Clerk instance, which begins with pk_: the page on which people edit their profile shows Clerk's sign-in with it, and where applications share a domain, it says which session cookie is this instance's.",
    example: 'pk_test_Y2xlcmsuZXhhbXBsZS5jb20k',
    usedBy: ['profiles'],
  },
  MIRROR_KINDS: {
    doc: 'Kinds of Clerk objects to mirror, separated by commas: `*` is all of them, `-kind` leaves one out.',
    default: '*,-session',
    example: 'user,organization,organizationMembership',
    usedBy: ['worker'],
  },
  REACTIONS: {
    doc: 'Reactions in code (`apps/worker/src/reactions/`) that this worker runs, separated by commas: `*` is all of them, `-name` leaves one out. None run without it. Every worker requests the reactions of all workers: `reactions remove` ends that for a reaction that no worker has any more.',
    example: 'log-new-users',
    usedBy: ['worker'],
  },
  CHANGE_WEBHOOK_URLS: {
    doc: 'Addresses that receive every change of the mirror by POST, as JSON signed by the Standard Webhooks scheme; several are separated by commas or spaces.',
    example: 'https://billing.example.com/clerk-changes',
    secret: true,
    usedBy: ['worker'],
  },
  CHANGE_WEBHOOK_SECRETS: {
    doc: 'Secrets that changes are signed with; needed with CHANGE_WEBHOOK_URLS. While you rotate one, put the new and the old one here, separated by a comma or a space: each delivery is signed with both. At least 32 characters behind `whsec_`: `echo whsec_$(openssl rand -base64 24)` makes one.',
    example: 'whsec_MAKE_UP_A_LONG_ONE',
    secret: true,
    usedBy: ['worker'],
  },
  CHANGE_WEBHOOK_PAYLOAD: {
    doc: "Content of an object in change webhooks besides ids and the names of changed fields: `public` is the content of a user's public page, `full` all that Clerk sent, which is personal data, and is refused while an address of another machine begins with `http://`.",
    default: 'public',
    example: 'full',
    usedBy: ['worker'],
  },
  CHANGE_WEBHOOK_ALLOW_PRIVATE: {
    doc: 'Let change webhooks go to addresses of this machine and of private networks.',
    default: 'false',
    example: 'true',
    usedBy: ['worker'],
  },
  HOST: {
    doc: 'Address that the processes listen on. `0.0.0.0` is every interface; the container image sets it.',
    default: '127.0.0.1',
    example: '0.0.0.0',
    usedBy: ['ingest', 'worker', 'console', 'profiles'],
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
  PROFILES_PORT: {
    doc: 'Public port of profiles: the pages and the read API. 0 takes any free port.',
    default: '8083',
    example: '8083',
    usedBy: ['profiles'],
  },
  CONSOLE_PORT: {
    doc: 'Port of the console, its API, `/livez`, `/readyz` and `/metrics`. 0 takes any free port.',
    default: '8082',
    example: '8082',
    usedBy: ['console'],
  },
  CONSOLE_TOKEN: {
    doc: 'Accounts of the console: `name:role:token`, several separated by commas or spaces. The role is `viewer` or `operator`, the token at least 32 characters (`openssl rand -base64 24` makes one); without any, the console does not start.',
    example: 'ada:operator:MAKE_UP_A_LONG_ONE,grafana:viewer:AND_ANOTHER_LONG_ONE',
    secret: true,
    usedBy: ['console'],
  },
  METRICS_PORT: {
    doc: 'Port of ingest, and of profiles (there 9091 by default), for `/metrics`, so that they are never on the public port. 0 takes any free port.',
    default: '9090',
    defaultOf: { profiles: '9091' },
    example: '9090',
    usedBy: ['ingest', 'profiles'],
  },
  KEEP_ALIVE_TIMEOUT_S: {
    doc: 'Seconds that an idle connection is kept. It must be longer than the idle timeout of the balancer in front, for the balancer must close first (docs/deploy.md has the values).',
    default: '75',
    example: '620',
    usedBy: ['ingest', 'console', 'profiles'],
  },
  SHUTDOWN_DELAY_S: {
    doc: 'Seconds that a process goes on serving after SIGTERM, while `/readyz` says 503 and each answer closes its connection, so that balancers have gone elsewhere before the port is closed. Ctrl-C does not wait for them (docs/deploy.md).',
    default: '5',
    example: '10',
    usedBy: ['ingest', 'console', 'profiles'],
  },
  TRUST_PROXY: {
    doc: 'Trusted proxies, for `X-Forwarded-For` and `X-Forwarded-Proto`: addresses, CIDR ranges, `loopback`, `linklocal` or `uniquelocal`, separated by commas. Without it, all clients behind a proxy count as one address.',
    example: 'loopback,10.0.0.0/8',
    usedBy: ['ingest', 'console', 'profiles'],
  },
  QUEUE_NAMESPACE: {
    doc: 'Prefix of the keys of this installation in Redis, so that several installations can share one: 1 to 32 lower-case letters, digits and underscores. Give the same to every process of an installation; events that wait under another one stay there.',
    default: 'clerk',
    example: 'staging',
    usedBy: ['ingest', 'worker', 'console', 'cli'],
  },
  QUEUE_PARTITIONS: {
    doc: 'Number of partitions of the queue among which ingest spreads events, at most 64: so many nodes of a Redis Cluster can share the work. It may be changed at any time (docs/partitions.md).',
    default: '1',
    example: '4',
    usedBy: ['ingest'],
  },
  REDIS_WAIT_REPLICAS: {
    doc: 'Replicas that must have an event before it is answered with 202, so that a failover loses none. While too few answer, events are refused with 503. 0 waits for none (docs/partitions.md).',
    default: '0',
    example: '1',
    usedBy: ['ingest'],
  },
  REDIS_ALLOW_EVICTION: {
    doc: 'Accept a Redis with a maxmemory-policy that may evict acknowledged events. Otherwise ingest refuses to be ready on one.',
    default: 'false',
    example: 'true',
    usedBy: ['ingest'],
  },
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    doc: 'Receiver of traces, by OTLP over HTTP with `/v1/traces` appended: one for each event, from its request to its commit. None are made without it. No proxy is used. OpenTelemetry reads its other variables (`OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_HEADERS`, …) from the environment itself.',
    example: 'http://127.0.0.1:4318',
    usedBy: ['ingest', 'worker'],
  },
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: {
    doc: 'The same for traces alone: the whole address, taken as it is and before the other.',
    example: 'http://127.0.0.1:4318/v1/traces',
    usedBy: ['ingest', 'worker'],
  },
  OTEL_TRACES_EXPORTER: {
    doc: 'With `none` no traces are sent, even if an address is set; `otlp` sends them.',
    example: 'none',
    usedBy: ['ingest', 'worker'],
  },
  OTEL_SDK_DISABLED: {
    doc: 'With `true` no traces are sent, even if an address is set.',
    example: 'true',
    usedBy: ['ingest', 'worker'],
  },
  HTTPS_PROXY: {
    doc: 'Proxy through which change webhooks and notifications go to `https://` addresses, with a user and a password if it wants them. `https_proxy` is the same and counts first. This machine is never reached through one.',
    example: 'http://proxy.example.com:3128',
    secret: true,
    usedBy: ['worker', 'cli'],
  },
  HTTP_PROXY: {
    doc: 'The same for `http://` addresses; or `http_proxy`.',
    example: 'http://proxy.example.com:3128',
    secret: true,
    usedBy: ['worker', 'cli'],
  },
  NO_PROXY: {
    doc: 'Destinations without a proxy: hosts and all below them, host:port, addresses, ranges, separated by commas; `*` is all. Or `no_proxy`.',
    example: '.corp.example.com,10.0.0.0/8',
    usedBy: ['worker', 'cli'],
  },
  NOTIFY_WEBHOOK_URL: {
    doc: 'Receiver of a notification about the first dead letter of each cause, once a day: an address that takes `{"text": "…"}` by POST, such as an incoming webhook of Slack or Mattermost.',
    example: 'https://hooks.slack.com/services/T000/B000/XXXX',
    secret: true,
    usedBy: ['worker'],
  },
  LOG_LEVEL: {
    doc: 'Least severe level that is logged: `debug`, `info`, `warn`, `error` or `silent`.',
    default: 'info',
    example: 'debug',
    usedBy: ['ingest', 'worker', 'console', 'profiles'],
  },
} as const satisfies Record<string, Setting>

export type SettingName = keyof typeof SETTINGS

/** The settings that always have a value. */
export type DefaultedName = {
  [N in SettingName]: (typeof SETTINGS)[N] extends { readonly default: string } ? N : never
}[SettingName]
