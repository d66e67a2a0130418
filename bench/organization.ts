import type { Releasers } from '@clerk-mirror/runtime'
import { contest, cpuOf, perSecond } from './contest.js'
import type { Contestant } from './contestant.js'
import { assertNewest } from './exact.js'
import { perS, type Report, ratioRow } from './report.js'
import type { Run } from './section.js'
import type { Stage } from './stage.js'
import { median, ratio, thousands } from './statistics.js'
import { drainBacklog } from './subjects.js'
import { membershipOf } from './traffic.js'

const MANY = 1_000

/** Memberships that all name one organization lock one object row, and those of many organizations do not. */
export async function organizationSection(stage: Stage, owned: Releasers, { quick, say }: Run): Promise<Report> {
  const workers = [await stage.start('worker', owned), await stage.start('worker', owned)]
  const drain =
    (organizations: number, count: number): Contestant =>
    (ordinary) => {
      // Only as many as there would be of others, and their ids.
      const deliveries = ordinary.map(({ eventId }, index) =>
        membershipOf(`user_${eventId}`, `org_${index % organizations}`, eventId),
      )
      const newest = new Map(deliveries.map(({ objectId, eventId }) => [objectId, eventId]))
      for (const worker of workers.slice(count)) worker.freeze()
      return drainBacklog(stage, workers.slice(0, count), deliveries, {
        check: () => assertNewest(stage, deliveries.length, newest, 'organization_memberships'),
      })
    }
  const contestants = {
    'one worker, many organizations': drain(MANY, 1),
    'one worker, one organization': drain(1, 1),
    'two workers, many organizations': drain(MANY, 2),
    'two workers, one organization': drain(1, 2),
  }
  const scores = await contest(stage, contestants, { rounds: 5, roundMs: quick ? 1_000 : 4_000, say })
  const row = (what: string, subject: keyof typeof contestants, reference: keyof typeof contestants) => {
    const [one, other] = [perSecond(scores[subject]), perSecond(scores[reference])]
    return ratioRow(what, [perS(median(one)), perS(median(other))], ratio(one, other), {})
  }
  return {
    title: 'One big organization, and two workers',
    about: `a backlog of new memberships, all of one organization or spread over ${thousands(MANY)}, drained by one worker process and by two.`,
    rows: [
      row('one worker: one organization ÷ many', 'one worker, one organization', 'one worker, many organizations'),
      row('two workers: one organization ÷ many', 'two workers, one organization', 'two workers, many organizations'),
      row('many organizations: two workers ÷ one', 'two workers, many organizations', 'one worker, many organizations'),
      row('one organization: two workers ÷ one', 'two workers, one organization', 'one worker, one organization'),
    ],
    cpu: Object.fromEntries(Object.entries(scores).map(([name, of]) => [name, cpuOf(of)])),
  }
}
