import { type FutureObjectReport, type ReleaseResult, versionTime } from '@clerk-mirror/operations'
import { actor } from './actor.js'
import { type Call, type Command, type ExitCode, WrongUsage } from './command.js'
import { demandTerminal, isConfirmed } from './confirm.js'
import { interruption } from './interruption.js'
import { withOperations } from './operations.js'
import { table } from './table.js'

export const listVersions: Command = {
  usage: '[--json]',
  summary: 'List objects with a version more than a day ahead: no event from Clerk is newer until then.',
  examples: ['versions list', 'versions list --json'],
  options: {},
  run(call) {
    if (call.positionals.length > 0) throw new WrongUsage('it takes no name')
    return withOperations<ExitCode>(call, async (operations) => {
      const objects = await operations.versions.list()
      if (call.values['json']) call.out(JSON.stringify(objects.map(asJson)))
      else call.out(...(objects.length === 0 ? ['No object has a version far in the future.'] : asTable(objects)))
      return 0
    })
  },
}

/** The documented shape. `updatedAtMs` is a number, for it may lie beyond the last day that a calendar has. */
const asJson = ({ id, kind, eventId, updatedAtMs, noticedAtMs }: FutureObjectReport) => ({
  ...{ id, kind, eventId, updatedAtMs },
  noticedAt: new Date(noticedAtMs).toISOString(),
})

const asTable = (objects: readonly FutureObjectReport[]) =>
  table(
    ['object', 'kind', 'version', 'of the event', 'noticed'],
    objects.map(({ id, kind, eventId, updatedAtMs, noticedAtMs }) => [
      ...[id, kind, versionTime(updatedAtMs), eventId, new Date(noticedAtMs).toISOString()],
    ]),
  )

export const releaseVersions: Command = {
  usage: 'ID … | --all [--dry-run] [--yes] [--json]',
  summary: 'Set such versions back to the time of receipt: Clerk’s next event of each object wins. Data stays.',
  examples: ['versions release user_2bYZ0example', 'versions release --all --dry-run', 'versions release --all --yes'],
  options: {
    all: { type: 'boolean', doc: 'every object in `versions list`' },
    'dry-run': { type: 'boolean', doc: 'list the objects to release, and touch nothing' },
    yes: { type: 'boolean', doc: 'do not ask for confirmation' },
  },
  run(call) {
    const ids = idsOf(call)
    const dryRun = call.values['dry-run'] === true
    const isAsking = !dryRun && call.values['yes'] !== true
    if (isAsking) demandTerminal()
    return withOperations<ExitCode>(call, async ({ versions }) => {
      using stop = interruption()
      const options = { actor: actor(), signal: stop.signal }
      const found = await versions.release(ids, { ...options, dryRun: true })
      const releasable = found.filter(({ kind }) => kind === 'released').map(({ id }) => id)
      const question = `Release ${releasable.length} ${releasable.length === 1 ? 'object' : 'objects'}?`
      if (isAsking && releasable.length > 0 && !(await isConfirmed(question))) {
        call.note('Nothing was released.')
        return 1
      }
      const done = dryRun ? [] : await versions.release(releasable, options)
      const results = found.map((each) => done.find(({ id }) => id === each.id) ?? each)
      if (call.values['json']) call.out(JSON.stringify(results))
      else call.out(...(results.length === 0 ? ['There is nothing to release.'] : results.map(inWords(dryRun))))
      if (stop.signal.aborted) call.note('Stopped. The same command does the rest.')
      // An operator that names an object expects its release.
      return stop.signal.aborted || results.some(({ kind }) => kind !== 'released') ? 1 : 0
    })
  },
}

function idsOf({ values, positionals }: Call): readonly string[] | 'all' {
  if (values['all'] === true && positionals.length > 0) throw new WrongUsage('--all goes without ids')
  if (values['all'] === true) return 'all'
  if (positionals.length === 0) throw new WrongUsage('name the objects, or say --all')
  return positionals
}

const inWords = (dryRun: boolean) => (result: ReleaseResult) => {
  if (result.kind === 'released') {
    const { from, to } = result
    const verb = dryRun ? 'would be released' : 'released'
    return `${result.id}  ${verb}: version ${versionTime(from.updatedAtMs)}, then ${versionTime(to.updatedAtMs)}`
  }
  if (result.kind === 'not-ahead')
    return `${result.id}  not released: its version ${versionTime(result.version.updatedAtMs)} is not a day ahead`
  if (result.kind === 'deleted') return `${result.id}  not released: it is deleted, for good`
  return `${result.id}  not released: no stored object`
}
