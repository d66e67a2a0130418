import { openMirror } from '@clerk-mirror/mirror'
import { type ProbeResult, probe, REPORTED_IDS_MAX } from '@clerk-mirror/operations'
import { openCallsClerkApi, RATE_OPTION, readClerkConfig } from './clerk-api.js'
import { type Command, WrongUsage } from './command.js'
import { interruption } from './interruption.js'
import { noteClearText } from './operations.js'
import { progressView } from './progress.js'
import { table } from './table.js'

export const probeUsers: Command = {
  usage: '[--rate NUMBER] [--json]',
  summary: 'Compare users with Clerk in at most 300 requests: counts by time of creation, and the newest versions.',
  examples: ['probe', 'probe --rate 5', 'probe --json'],
  options: RATE_OPTION,
  async run(call) {
    const { env, values, positionals, out, note } = call
    if (positionals.length > 0) throw new WrongUsage('it takes no name')
    const config = readClerkConfig(env)
    noteClearText({ note }, { database: config.database.reveal() })
    await using api = openCallsClerkApi(call, config)
    await using mirror = openMirror(config.database.reveal())
    using stop = interruption()
    const view = progressView('probe')
    const { instanceId } = config
    const work = probe(api, mirror, { instanceId, signal: stop.signal, onProgress: view.show }).finally(view.end)
    const result = await work.catch((error: unknown) => {
      if (stop.signal.aborted) return null
      throw error
    })
    if (result === null) {
      if (values['json']) out(JSON.stringify({ complete: false }))
      note('Stopped: what was counted so far says nothing.')
      return 1
    }
    if (values['json']) out(JSON.stringify(asJson(result)))
    else out(...inWords(result))
    return isInSync(result) ? 0 : 3
  },
}

const isInSync = ({ windows, missing, stale }: ProbeResult) => windows.length + missing.length + stale.length === 0

const isoOrNull = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())
const some = <T>(items: readonly T[]) => items.slice(0, REPORTED_IDS_MAX)

/** The documented shape. */
function asJson({ clerk, here, erased, windows, newest, missing, stale }: ProbeResult) {
  const listed = some(windows).map((window) => ({
    ...{ from: isoOrNull(window.fromMs), to: isoOrNull(window.toMs), clerk: window.clerk, here: window.here },
  }))
  const counts = { clerk, here, erased, differingWindows: windows.length, newest }
  const ids = { missing: some(missing), stale: some(stale) }
  const user = { ...counts, missing: missing.length, stale: stale.length, windows: listed, ids }
  return { complete: true, kinds: { user } }
}

function inWords(result: ProbeResult): string[] {
  const { clerk, here, erased, windows, newest, missing, stale } = result
  const apart = erased === 0 ? '' : `; ${erased} erased here and living at Clerk are not counted`
  const head = `${clerk} users at Clerk, ${here} here${apart}. ${newest} changed last and were compared.`
  if (isInSync(result)) return [head, 'In sync.']
  const rows = some(windows).map(({ fromMs, toMs, ...counts }) => [
    ...[isoOrNull(fromMs) ?? 'the beginning', isoOrNull(toMs) ?? '', String(counts.clerk), String(counts.here)],
  ])
  return [
    head,
    ...(rows.length === 0 ? [] : table(['created from', 'to', 'at Clerk', 'here'], rows)),
    ...some(missing).map((id) => `${id}  missing here`),
    ...some(stale).map((id) => `${id}  older here`),
    `Drift: ${windows.length} windows differ, ${missing.length} of the newest are missing, ${stale.length} are older.`,
  ]
}
