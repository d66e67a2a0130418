import { join } from 'node:path'
import { Releasers } from '@clerk-mirror/runtime'
import { seededRandom } from '../../../packages/devstack/src/random.js'
import type { ExpectedMirror } from '../../support/invariants.js'
import { until } from '../../support/until.js'
import { REFUSE_NO_MORE } from '../faults/servers.js'
import { type Own, readOwn } from '../load/application-data.js'
import { DeadLetters } from '../load/dead-letters.js'
import { Sender } from '../load/sender.js'
import { nothingExpected } from '../oracle/expected.js'
import { Journal } from '../oracle/journal.js'
import { type Clockwork, openClockwork } from '../oracle/lag.js'
import { type Listener, openListener } from '../oracle/received-changes.js'
import { increase, type Totals } from '../totals.js'
import { type Fleet, openFleet } from './fleet.js'
import { keptSecret, key, openSite, type Site } from './site.js'

/** Everything that stays from round to round. */
export type Stage = AsyncDisposable & {
  site: Site
  fleet: Fleet
  journal: Journal
  sender: Sender
  deadLetters: DeadLetters
  listener: Listener
  totals: Totals
  clockwork: Clockwork
  expected: ExpectedMirror
  own: Own
  counts: () => Promise<{ wait: number; active: number; delayed: number }>
}

export type StageOptions = {
  folder: string
  root: string
  seed: number
  totals: Totals
  say: (line: string) => void
}

const UP_WITHIN_MS = 60_000

export async function openStage({ folder, root, seed, totals, say }: StageOptions): Promise<Stage> {
  await using owned = new Releasers()
  const fails = (name: string, how: string) => {
    increase(totals.selfExits, `${name}: ${how}`)
    say(`  ${name} ended by itself (${how}) and is started again`)
  }
  const site = owned.use(await openSite(folder, (server) => fails(server, 'crash')))
  // An interrupted run may have left the server in the middle of a fault.
  await site.query('SET GLOBAL read_only = 0')
  await site.query(REFUSE_NO_MORE)
  await site.query('SET GLOBAL TRANSACTION READ WRITE')
  await site.redis.replicaof('NO', 'ONE')
  await site.redis.config('SET', 'maxmemory', '0')
  const [journal, secret, random] = [new Journal(totals), keptSecret(folder), seededRandom(seed)]
  const listener = owned.use(await openListener(folder, site, totals))
  const promising = new Set<string>()
  const fleet = owned.use(
    await openFleet({
      ...{ site, root, secret, logFolder: join(folder, 'logs'), workerEnv: listener.env },
      onLine(name, line) {
        if (line.event === 'reaction.promised') promising.add(name)
        journal.read(name, line)
      },
      onFailure: ({ name, how, lastWords }) => {
        fails(name.split(' ', 1).join(), how)
        say(`  the last word of ${name}: ${lastWords.at(-1)}`)
      },
    }),
  )
  await fleet.ready(UP_WITHIN_MS)
  // From then on every change is requested, whichever worker applies it.
  await until(() => promising.size === fleet.workers.length - 1, UP_WITHIN_MS)
  const clockwork = owned.use(openClockwork())
  const ingests = fleet.ingests.map(({ member, link }) => ({ name: member.name, port: link.port }))
  const sender = new Sender({ ingests, secret, random, journal, totals, clockwork })
  owned.defer(() => sender.close())
  const deadLetters = owned.use(await DeadLetters.open({ site, sender, random, totals, journal }))
  const { redis } = site
  const scope = owned.move()
  return {
    ...{
      site,
      fleet,
      journal,
      sender,
      deadLetters,
      listener,
      totals,
      clockwork,
      expected: nothingExpected(),
      own: await readOwn(site.query),
    },
    counts: async () => {
      // Of one moment: an event that goes from one list to the next meanwhile would be in none.
      const asked = redis.multi().llen(key('wait')).llen(key('active')).zcard(key('delayed'))
      const [wait = 0, active = 0, delayed = 0] = ((await asked.exec()) ?? []).map(([, count]) => Number(count))
      return { wait, active, delayed }
    },
    [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
  }
}
