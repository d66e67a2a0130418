import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { UsageFault } from './faults.js'
import type { HistoryOptions } from './traffic.js'

export interface SimulateOptions {
  history: HistoryOptions
  concurrency: number
  /** Deliveries per second. */
  rate?: number
  /** Where ingest is, when neither the environment nor a running stack says it. */
  url?: string
}

export const SIMULATE_HELP = `npm run simulate -- [OPTIONS]

Sends signed sample traffic of a Clerk application over HTTP, waits until every event is in the ledger, and holds the
tables against an independent calculation. Finds the stack that npm start runs by itself; otherwise set INGEST_PORT
(or --url), CLERK_WEBHOOK_SIGNING_SECRET and DATABASE_URL.

  --users N          people who sign up (100)
  --updates N        each of them is updated none to N times (5)
  --deletes SHARE    share of people who are deleted (0.1)
  --duplicates SHARE share of events delivered twice or more (0)
  --shuffle          in any order instead of the one in which things happened
  --seed N           the same seed and options give the same traffic, byte for byte (random)
  --rate N           deliveries a second at most (as many as go through)
  --concurrency N    deliveries in flight (32)
  --url URL          address of ingest, such as http://127.0.0.1:8080
  --help             this text

Exits with 0 when everything is right, 1 when something is missing or differs, 2 on bad arguments, 130 on Ctrl-C.
On a terminal it shows progress, otherwise it prints one JSON object per line.
`

const OPTIONS = {
  users: { type: 'string', default: '100' },
  updates: { type: 'string', default: '5' },
  deletes: { type: 'string', default: '0.1' },
  duplicates: { type: 'string', default: '0' },
  shuffle: { type: 'boolean', default: false },
  seed: { type: 'string' },
  rate: { type: 'string' },
  concurrency: { type: 'string', default: '32' },
  url: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const

// Far beyond the capacity of one sender: the bounds only catch typing errors before memory runs out.
const MOST_USERS = 1_000_000
const MOST_UPDATES = 1000
const MOST_IN_FLIGHT = 1000
const HIGHEST_RATE = 100_000

/** Throws UsageFault. */
export function parseSimulateOptions(args: string[]): SimulateOptions | 'help' {
  const values = parsed(args)
  if (values.help) return 'help'
  const { rate, url } = values
  return {
    history: {
      users: whole('--users', values.users, 1, MOST_USERS),
      updates: whole('--updates', values.updates, 0, MOST_UPDATES),
      deletes: share('--deletes', values.deletes),
      duplicates: share('--duplicates', values.duplicates),
      shuffle: values.shuffle,
      seed: values.seed === undefined ? randomInt(2 ** 31) : whole('--seed', values.seed, 0, Number.MAX_SAFE_INTEGER),
    },
    concurrency: whole('--concurrency', values.concurrency, 1, MOST_IN_FLIGHT),
    ...(rate !== undefined && { rate: whole('--rate', rate, 1, HIGHEST_RATE) }),
    ...(url !== undefined && { url: httpUrl(url) }),
  }
}

function parsed(args: string[]) {
  try {
    return parseArgs({ args, options: OPTIONS }).values
  } catch (error) {
    throw new UsageFault(`${error instanceof Error ? error.message : error}\n\n${SIMULATE_HELP}`)
  }
}

function whole(name: string, raw: string, low: number, high: number): number {
  const value = /^\d+$/.test(raw) ? Number(raw) : Number.NaN
  if (!(value >= low && value <= high)) throw new UsageFault(`${name} must be a whole number from ${low} to ${high}`)
  return value
}

function share(name: string, raw: string): number {
  const value = /^[\d.]+$/.test(raw) ? Number(raw) : Number.NaN
  if (!(value >= 0 && value <= 1)) throw new UsageFault(`${name} must be a share from 0 to 1, such as 0.3`)
  return value
}

function httpUrl(raw: string): string {
  if (!URL.canParse(raw) || !/^https?:$/.test(new URL(raw).protocol))
    throw new UsageFault('--url must begin with http:// or https://')
  return raw
}
