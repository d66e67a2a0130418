import type { AgreedSetting, Status } from '@clerk-mirror/operations'
import { SLOW_MS } from '../limits.js'
import { counted, duration } from './format.js'
import type { Tone } from './layout.js'

/** A finding for operators, the worst first. `what` holds the advice. */
export type Finding = { tone: Tone; title: string; what: string; link?: { path: string; text: string } }

/** The findings behind the numbers. Never empty: without a fault it says so. */
export function verdictOf(status: Status): Finding[] {
  const findings = [
    noWorkers(status),
    openBreaker(status),
    deadLetters(status),
    runs(status),
    blocked(status),
    ...differences(status),
    future(status),
    backlog(status),
  ].filter((each) => each !== null)
  return findings.length > 0 ? findings : [wellOf(status)]
}

function noWorkers({ workers, queue }: Status): Finding | null {
  if (workers.length > 0) return null
  const waiting = queue.waiting + queue.active
  return {
    tone: 'bad',
    title: waiting > 0 ? `No worker is alive; ${counted(waiting, 'event')} wait` : 'No worker is alive',
    what:
      'Ingest goes on accepting and nothing is lost, but the tables stand still. Start a worker (npm run start:worker), ' +
      'or see in its log why it exits.',
  }
}

function openBreaker({ workers }: Status): Finding | null {
  const open = workers.filter(({ breaker }) => breaker !== 'closed')
  if (open.length === 0) return null
  return {
    tone: 'bad',
    title: `${open.length} of ${counted(workers.length, 'worker')} cannot write to MySQL`,
    what:
      'They hold their events, ask again every few seconds and go on by themselves; no event pays a try and none is ' +
      'lost. /readyz of the worker and its log (breaker.opened) name the cause.',
    link: { path: '/workers', text: 'Workers' },
  }
}

function deadLetters({ queue: { dead } }: Status): Finding | null {
  if (dead === 0) return null
  return {
    tone: 'bad',
    title: `${counted(dead, 'dead letter')}`,
    what: 'These events failed for good. They stay until an operator replays or discards them; the list has advice for each cause.',
    link: { path: '/dead-letters', text: 'See the causes' },
  }
}

function runs({ reactions }: Status): Finding | null {
  const dead = reactions.reduce((sum, { queue }) => sum + queue.dead, 0)
  if (dead === 0) return null
  return {
    tone: 'warn',
    title: `${counted(dead, 'dead letter')} of reactions`,
    what: 'The tables are right, and a receiver has missed a change. The list has advice for each cause.',
    link: { path: '/dead-letters?queue=reactions', text: 'See the causes' },
  }
}

function blocked({ blockedByCode }: Status): Finding | null {
  const causes = Object.entries(blockedByCode)
  if (causes.length === 0) return null
  const events = causes.reduce((sum, [, count]) => sum + count, 0)
  return {
    tone: 'warn',
    title: `${counted(events, 'event')} blocked: ${causes.map(([code, count]) => `${code} ${count}`).join(', ')}`,
    what:
      'A constraint or a lock of the application stops them, each alone. They are tried every 30 seconds, use no try ' +
      'and are never given up. docs/errors.md has advice for each code; a trace shows the cause of one event.',
  }
}

/** The consequence of each difference and its remedy. Reactions may differ, for every worker requests all of them. */
const DIFFERENCES: Readonly<Record<Exclude<AgreedSetting, 'reactions'>, { title: string; what: string }>> = {
  version: {
    title: 'Processes run different releases',
    what: 'A deploy is under way, or was not finished: restart those of the former release.',
  },
  kinds: {
    title: 'Workers mirror different kinds',
    what: 'Whether an event is applied depends on the worker that gets it: give all of them the same MIRROR_KINDS.',
  },
  key_ids: {
    title: 'Workers have different encryption keys',
    what: 'While keys are rotated that passes. Else give all of them the same ENVELOPE_KEYS, or events wait for the right one.',
  },
  encryption_key: {
    title: 'Ingest encrypts with a key that workers lack',
    what: 'These workers cannot apply such events: add the key to their ENVELOPE_KEYS.',
  },
  installation: {
    title: 'Workers belong to different installations',
    what: 'Their REDIS_URL is the same and their DATABASE_URL is not: stop those with the wrong database.',
  },
  instance_id: {
    title: 'Ingest processes expect different Clerk instances',
    what: 'Some of them drop the events that others take: give all of them the same CLERK_INSTANCE_ID.',
  },
  clock: {
    title: 'Clocks are wrong',
    what: 'They differ from the clock of Redis. Signatures are refused beyond five minutes, and lag is wrong: set them.',
  },
  unserved_reactions: {
    title: 'Reactions are requested and no worker runs them',
    what: 'Their outbox grows: start a worker that has them, or end the requests (ops reactions remove NAME).',
  },
}

const differences = ({ disagreements }: Status): Finding[] =>
  disagreements.flatMap(({ setting, values }) => {
    if (setting === 'reactions') return []
    const { title, what } = DIFFERENCES[setting]
    const shown = values.map(({ value, processes }) =>
      processes.length > 0 ? `${value} (${processes.join(', ')})` : value,
    )
    return [{ tone: 'warn' as const, title: `${title}: ${shown.join('; ')}`, what }]
  })

function future({ futureVersions }: Status): Finding | null {
  if (!futureVersions) return null
  return {
    tone: 'warn',
    title: `${counted(futureVersions, 'object')} with a version far in the future`,
    what:
      'Nothing that Clerk sends of them is newer until then, so they stay as they are. See which with ' +
      '“ops versions list”, and release them with “ops versions release”.',
  }
}

function backlog({ oldestAgeS, queue, workers }: Status): Finding | null {
  const oldestMs = oldestAgeS * 1000
  if (oldestMs < SLOW_MS || workers.length === 0) return null
  return {
    tone: 'warn',
    title: `${counted(queue.waiting + queue.active, 'event')} behind; the oldest has waited ${duration(oldestMs)}`,
    what: 'Falling: wait. Rising while workers are busy: start more of them. Rising while they are idle: look at the log.',
  }
}

const wellOf = ({ workers, queue }: Status): Finding => ({
  tone: 'good',
  title: 'All is well',
  what: `${counted(workers.length, 'worker')} at work, ${queue.waiting + queue.active === 0 ? 'no event waits' : 'no event waits for long'}, and there are no dead letters.`,
})
