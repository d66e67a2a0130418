import { StartFault } from './faults.js'

export type Environment = Readonly<Record<string, string | undefined>>

export interface StartFlags {
  /** On throw-away data: start, send samples, compare, stop. */
  once: boolean
  /** Send samples although the tables are not empty. */
  sample: boolean
}

/** The plan of `npm start`, decided from the environment before any step. */
export interface StartPlan {
  /** Configured services; absent ones are started. */
  redisUrl?: string
  databaseUrl?: string
  /** Neither is configured: the stack is our own, and only then is anything generated, installed or sent. */
  isOwnStack: boolean
  /** The tables are ours; a database that others run is migrated by its operators. */
  migrates: boolean
  samples: 'always' | 'into empty tables' | 'never'
  /** From the environment; absent when one has to be generated. */
  signingSecret?: string
}

/** Throws StartFault: the message names the setting to add or remove. */
export function planStart(env: Environment, { once, sample }: StartFlags): StartPlan {
  if (once) return { isOwnStack: true, migrates: true, samples: 'always' }

  const [redisUrl, databaseUrl] = [setting(env, 'REDIS_URL'), setting(env, 'DATABASE_URL')]
  const signingSecret = setting(env, 'CLERK_WEBHOOK_SIGNING_SECRET')
  const isOwnStack = redisUrl === undefined && databaseUrl === undefined
  const names = [redisUrl && 'REDIS_URL', databaseUrl && 'DATABASE_URL'].filter(Boolean)
  const areSet = `${names.join(' and ')} ${names.length > 1 ? 'are' : 'is'} set`
  if (!isOwnStack && signingSecret === undefined) {
    throw new StartFault(
      `${areSet}, so CLERK_WEBHOOK_SIGNING_SECRET must be set too: a secret is made up only for a stack that ` +
        'npm start brings up whole. You find yours in the Clerk dashboard under Webhooks, at your endpoint.',
    )
  }
  if (!isOwnStack && sample) {
    throw new StartFault(
      `${areSet}: samples go only into a stack that npm start brings up whole. To send sample traffic into ` +
        'this one all the same, use npm run simulate.',
    )
  }
  return {
    ...(redisUrl !== undefined && { redisUrl }),
    ...(databaseUrl !== undefined && { databaseUrl }),
    ...(signingSecret !== undefined && { signingSecret }),
    isOwnStack,
    migrates: databaseUrl === undefined,
    samples: !isOwnStack ? 'never' : sample ? 'always' : 'into empty tables',
  }
}

/** A setting that is present and not blank: in `.env` files, `NAME=` leaves it to the default. */
export function setting(env: Environment, name: string): string | undefined {
  const value = env[name]?.trim()
  return value === '' ? undefined : value
}
