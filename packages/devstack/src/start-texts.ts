import { relative } from 'node:path'
import type { ServiceSource } from './services/service-sources.js'
import type { Stack } from './stack.js'
import { DATA_DIR, ROOT } from './stack-folder.js'
import type { StartPlan } from './start-plan.js'

const FROM: Record<ServiceSource, string> = {
  environment: 'configured',
  program: 'private',
  compose: 'private, in Docker Compose',
  packages: 'private',
}

/** The addresses of all parts, as aligned lines. */
export function stackSummary({ urls, services, chosen }: Stack, plan: StartPlan): string[] {
  const { REDIS_URL: redis, DATABASE_URL: database, CLERK_WEBHOOK_SIGNING_SECRET: secret } = chosen
  const rows: (readonly [string, string])[] = [
    ['webhooks', `POST ${urls.webhooks}`],
    [
      'secret',
      secret === undefined ? 'CLERK_WEBHOOK_SIGNING_SECRET as configured' : `${secret}  (made up for this stack)`,
    ],
    ...consoleRows(urls.console, chosen['CONSOLE_TOKEN']),
    ...(urls.profiles === null ? [] : [['profiles', `${urls.profiles}   a page for everybody in the tables`] as const]),
    ['health', `${urls.ingest}/readyz   ${urls.worker}/readyz`],
    ['metrics', `${urls.metrics}/metrics   ${urls.worker}/metrics`],
    ['mysql', `${database ?? 'DATABASE_URL'}  (${FROM[services.database.from]})`],
    ['redis', `${redis ?? 'REDIS_URL'}  (${FROM[services.redis.from]})`],
  ]
  if (!plan.migrates) rows.push(['tables', 'are yours to migrate: npm run db:migrate'])
  return ['', ...rows.map(([name, text]) => `  ${name.padEnd(9)} ${text}`)]
}

/** Only this program knows a generated token: it is shown here and kept in a file that only its owner can read. */
function consoleRows(url: string | null, account: string | undefined): [string, string][] {
  if (url === null) return []
  const token = account?.split(':').at(-1)
  const how =
    token === undefined ? 'with a token of CONSOLE_TOKEN' : `with the token ${token}  (made up for this stack)`
  return [['console', `${url}   ${how}`]]
}

/** Not offered where the tables may be a production database's. */
const SIMULATE: [string, string] = [
  'npm run simulate -- --users 1000 --shuffle --duplicates 0.3',
  'thousands of events, and the tables come out right',
]

export function tryNext({ urls }: Stack, { isOwnStack }: StartPlan): string[] {
  const rows: [string, string][] = [
    [`curl ${urls.ingest}/readyz`, 'is it ready to take webhooks?'],
    ...(isOwnStack ? [SIMULATE] : []),
    ['npm run -s ops -- dead-letters list', 'events that could not be applied'],
    [`tail -f ${relative(ROOT, DATA_DIR)}/logs/worker.log`, 'everything that the worker says'],
  ]
  const columns = Math.max(...rows.map(([command]) => command.length))
  return [
    '',
    'Try next, in another terminal:',
    ...rows.map(([command, why]) => `  ${command.padEnd(columns)}   # ${why}`),
  ]
}

export function connectHints({ urls }: Stack, { isOwnStack, signingSecret }: StartPlan): string[] {
  if (!isOwnStack || signingSecret !== undefined) return []
  return [
    '',
    'To connect a real Clerk application:',
    `  1. make ${urls.ingest} reachable from outside with a tunnel: ngrok http ${new URL(urls.ingest).port}`,
    '  2. in the Clerk dashboard under Webhooks add an endpoint: its address and /webhooks/clerk, the events user.*',
    '  3. put the signing secret of that endpoint into .env as CLERK_WEBHOOK_SIGNING_SECRET=whsec_… and start again',
  ]
}
