import { openMirror, parseDatabaseUrl } from '@clerk-mirror/mirror'
import { type EraseResult, erase } from '@clerk-mirror/operations'
import {
  openReactionPlaces,
  openStoredEvents,
  parseEnvelopeKeys,
  parseNamespace,
  parseRedisUrl,
  readPartitions,
} from '@clerk-mirror/queue'
import { Releasers, readConfig, secret } from '@clerk-mirror/runtime'
import { actor } from './actor.js'
import { type Call, type Command, type ExitCode, WrongUsage } from './command.js'
import { isConfirmed } from './confirm.js'

/** What a Clerk id may be made of, without what JSON writes in another way. */
const ID = /^[!#-[\]-~]{1,64}$/

export const eraseUser: Command = {
  usage: '--user ID [--yes] [--json]',
  summary: 'Remove everything that is stored of a person, for good: tables, stored objects, events in the queue.',
  examples: ['erase --user user_2bYZ0example', 'erase --user user_2bYZ0example --yes --json'],
  options: {
    user: { type: 'string', doc: "the user's Clerk id" },
    yes: { type: 'boolean', doc: 'do not ask' },
  },
  async run(call) {
    const { env, values, positionals, note } = call
    const userId = values['user']
    if (typeof userId !== 'string' || positionals.length > 0) throw new WrongUsage('name the user with --user')
    if (!ID.test(userId)) throw new WrongUsage('a user id has 1 to 64 visible ASCII characters')
    const config = readConfig(env, (read) => ({
      redis: read.required('REDIS_URL', secret(parseRedisUrl)),
      namespace: read.optional('QUEUE_NAMESPACE', parseNamespace),
      database: read.required('DATABASE_URL', secret(parseDatabaseUrl)),
      envelopeKeys: read.optional('ENVELOPE_KEYS', secret(parseEnvelopeKeys)),
    }))
    if (values['yes'] !== true && !(await isConfirmed(`Erase ${userId}, for good, with all that is stored of them?`))) {
      note('Nothing was erased.')
      return 1
    }
    await using owned = new Releasers()
    const mirror = owned.use(openMirror(config.database.reveal()))
    // Both before the tombstone: an erase that cannot be finished should not begin.
    await mirror.canary()
    const redis = config.redis.reveal()
    const list = await readPartitions(redis, config.namespace)
    const events = owned.use(await openStoredEvents(redis, list, config.envelopeKeys?.reveal()))
    const places = owned.use(await openReactionPlaces(redis, list))
    const reactions = owned.use(await openStoredEvents(redis, places.partitions))
    const onWaiting = (count: number) => note(`Waiting for ${count} of their events that workers have …`)
    return report(call, userId, await erase(mirror, events, { userId, actor: actor(), onWaiting, reactions }))
  },
}

function report({ values, out, note }: Call, userId: string, result: EraseResult): ExitCode {
  if (result.kind === 'not-a-user') {
    note(`${userId} is no user but of kind ${result.objectKind}: nothing was erased.`)
    return 1
  }
  const { objects, rows, jobs, reactions, unfinished, unread } = result
  if (values['json']) out(JSON.stringify({ userId, objects, rows, jobs, reactions, unfinished, unread }))
  else {
    out(`Erased ${userId}: removed the content of ${objects} stored objects, rows: ${list(rows)}.`)
    out(
      `Removed from the queues, events: ${list(jobs)}; reactions: ${list(reactions)}. What comes of them from now on is refused.`,
    )
  }
  if (unread > 0) {
    note(`${unread} other events are encrypted with keys that are not here: whether they name the user is not known.`)
    note('To have those removed that do, run this again with the ENVELOPE_KEYS that ingest has.')
  }
  if (unfinished === 0) return 0
  note(`${unfinished} of their events are still with a worker, which can write nothing of them. Run this again.`)
  return 1
}

const list = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ') || 'none'
