import { openMirror, parseDatabaseUrl } from '@clerk-mirror/mirror'
import { demandMatch, type EraseResult, erase } from '@clerk-mirror/operations'
import {
  openQueueInstallation,
  openReactionPartitions,
  openStoredEvents,
  parseEnvelopeKeys,
  parseNamespace,
  parseRedisUrl,
  readPartitions,
} from '@clerk-mirror/queue/operate'
import { Releasers, readConfig, secret } from '@clerk-mirror/runtime'
import { actor } from './actor.js'
import { type Call, type Command, type ExitCode, WrongUsage } from './command.js'
import { isConfirmed } from './confirm.js'
import { noteClearText } from './operations.js'
import { progressView } from './progress.js'

/** Characters of a Clerk id, without those that JSON escapes. */
const ID = /^[!#-[\]-~]{1,64}$/

/** An e-mail address or a telephone number. Ids are kept for good, and an address must never become one. */
const ADDRESS = /@|^\+?[\d().-]{5,}$/

export const eraseUser: Command = {
  usage: '--user ID [--also OBJECT …] [--yes] [--json]',
  summary: 'Erase a user (GDPR), for good: rows of tables, stored objects, events in the queue.',
  examples: [
    'erase --user user_2bYZ0example',
    'erase --user user_2bYZ0example --also new_2cKq1example',
    'erase --user user_2bYZ0example --yes --json',
  ],
  options: {
    user: { type: 'string', doc: "the user's Clerk id" },
    also: {
      type: 'string',
      multiple: true,
      doc: 'id of another object to remove; erase lists candidates',
    },
    yes: { type: 'boolean', doc: 'do not ask for confirmation' },
  },
  async run(call) {
    const { env, values, positionals, note } = call
    const userId = values['user']
    if (typeof userId !== 'string' || positionals.length > 0) throw new WrongUsage('name the user with --user')
    const also = Array.isArray(values['also']) ? values['also'].map(String) : []
    for (const id of [userId, ...also]) demandId(id)
    const config = readConfig(env, (read) => ({
      redis: read.required('REDIS_URL', secret(parseRedisUrl)),
      namespace: read.optional('QUEUE_NAMESPACE', parseNamespace),
      database: read.required('DATABASE_URL', secret(parseDatabaseUrl)),
      envelopeKeys: read.optional('ENVELOPE_KEYS', secret(parseEnvelopeKeys)),
    }))
    noteClearText(call, { redis: config.redis.reveal(), database: config.database.reveal() })
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
    await demandMatch(owned.use(openQueueInstallation(redis, list, 'operator')), mirror)
    const events = owned.use(await openStoredEvents(redis, list, config.envelopeKeys?.reveal()))
    const places = owned.use(await openReactionPartitions(redis, list))
    const reactions = owned.use(await openStoredEvents(redis, places.partitions))
    const onWaiting = (count: number) => note(`Waiting for ${count} of their events that workers have …`)
    const view = progressView('erase')
    const result = await erase(mirror, events, {
      ...{ userId, actor: actor(), also, onWaiting, reactions },
      onProgress: ({ objects, of }) => view.show({ done: objects, of }),
    }).finally(view.end)
    return report(call, userId, result)
  },
}

function demandId(id: string): void {
  if (!ID.test(id)) throw new WrongUsage('an id has 1 to 64 visible ASCII characters')
  if (ADDRESS.test(id)) {
    throw new WrongUsage('that is an address and no id: Clerk and the table users say which user has it')
  }
}

function report({ values, out, note }: Call, userId: string, result: EraseResult): ExitCode {
  if (result.kind === 'not-a-user') {
    note(`${userId} is no user but of kind ${result.objectKind}: nothing was erased.`)
    return 1
  }
  const { kind: _, ...all } = result
  const { objects, rows, jobs, reactions, unfinished, unread } = result
  if (values['json']) out(JSON.stringify({ userId, ...all }))
  else {
    out(`Erased ${userId}: removed the content of ${objects} stored objects, rows: ${list(rows)}.`)
    out(
      `Removed from the queues, events: ${list(jobs)}; reactions: ${list(reactions)}. Their later events are refused.`,
    )
    listMentions(result, out)
  }
  if (!result.addressesKnown) {
    note('No object of the user is stored any more, so their addresses are unknown: invitations and waitlist entries')
    note('that name them by an address alone were not found. If an earlier erase came to its end, it removed those.')
  }
  if (unread > 0) {
    note(`${unread} other events are encrypted with keys that are not here: whether they name the user is not known.`)
    note('To have those removed that do, run this again with the ENVELOPE_KEYS that ingest has.')
  }
  if (unfinished === 0) return 0
  note(`${unfinished} of their events are still with a worker, which can write nothing of them. Run this again.`)
  return 1
}

/** Names of members and no values: an operator looks at the object where that is on record. */
function listMentions({ mentions, mentioned }: Erased, out: Call['out']): void {
  if (mentioned === 0) return
  out(`Left for you to decide, for it mentions them in other places: ${mentioned}.`)
  for (const mention of mentions) {
    if (mention.in === 'event') out(`  ${mention.id}  an event of type ${mention.kind} in the queue`)
    else out(`  ${mention.id}  ${mention.kind}, in ${mention.members.join(', ')}`)
  }
  if (mentions.length < mentioned) out(`  … and ${mentioned - mentions.length} more`)
  out('To remove an object too, run this again with --also ID; an event is discarded with dead-letters discard.')
}

type Erased = Extract<EraseResult, { kind: 'erased' }>

const list = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ') || 'none'
