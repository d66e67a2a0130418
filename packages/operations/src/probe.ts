import { setTimeout as wait } from 'node:timers/promises'
import type { ApiObject, ClerkApi } from '@clerk-mirror/clerk-api'
import { membersThatDiffer } from '@clerk-mirror/events'
import type { Mirror, StoredUser } from '@clerk-mirror/mirror'
import {
  PROBE_ERASED_MAX,
  PROBE_GRACE_MS,
  PROBE_NEWEST,
  PROBE_RECOUNT_AFTER_MS,
  PROBE_RECOUNTS_MAX,
  PROBE_WINDOWS_MAX,
} from './limits.js'
import { OperationsError } from './operations-error.js'
import { type CreationWindow, countWithin, readUserTimes, windowsOf } from './probe-windows.js'

export type ProbeOptions = {
  /** The instance that the mirror is of; undefined takes the secret key's word for it. */
  instanceId: string | undefined
  signal: AbortSignal
  onProgress: (progress: { done: number; of: number }) => void
  nowMs?: number
  recountAfterMs?: number
}

export type WindowCount = CreationWindow & { clerk: number; here: number }

/** Users that were created more than ten minutes ago. */
export type ProbeResult = {
  clerk: number
  here: number
  /** Erased here by an operator, and living at Clerk: no drift. */
  erased: number
  /** The windows that differ. */
  windows: WindowCount[]
  /** How many users that changed last were compared, and of them those that are not here, or older and different. */
  newest: number
  missing: string[]
  stale: string[]
}

/**
 * Whether Clerk and the mirror have the same users, in at most 300 requests: counts of windows of creation time, and
 * the versions of the users that changed last. @throws ClerkApiError, Failure, OperationsError, or the signal's reason
 */
export async function probe(api: ClerkApi, mirror: Mirror, options: ProbeOptions): Promise<ProbeResult> {
  const { signal, onProgress, nowMs = Date.now(), recountAfterMs = PROBE_RECOUNT_AFTER_MS } = options
  await demandInstance(api, options.instanceId)
  const judgedBeforeMs = nowMs - PROBE_GRACE_MS
  const times = await readUserTimes(mirror, judgedBeforeMs, signal)
  const windows = windowsOf(times, judgedBeforeMs, PROBE_WINDOWS_MAX)
  let done = 0
  const counted = await inParallel(windows, async (window) => {
    const count = await countBoth(api, times, window, signal)
    done += 1
    onProgress({ done, of: windows.length })
    return count
  })
  const suspected = counted.filter(differs)
  const erasedAt = suspected.some(({ clerk, here }) => clerk > here) ? await erasedTimes(api, mirror, signal) : []
  const isTrue = (window: WindowCount) => differs(withoutErased(window, erasedAt))
  const confirmed = await recounted(suspected.filter(isTrue), { api, mirror, judgedBeforeMs, recountAfterMs, signal })
  const all = counted.map((window) => withoutErased(confirmed.get(window) ?? window, erasedAt))
  return {
    clerk: sum(all.map(({ clerk }) => clerk)),
    here: sum(all.map(({ here }) => here)),
    erased: erasedAt.filter((time) => time < judgedBeforeMs).length,
    windows: all.filter(differs),
    ...(await compareNewest(api, mirror, judgedBeforeMs, signal)),
  }
}

/** @throws OperationsError: with another instance's key, all users would be missing and all here too many. */
async function demandInstance(api: ClerkApi, expected: string | undefined): Promise<void> {
  const { id } = await api.instance()
  if (expected === undefined || id === expected) return
  const message = `CLERK_SECRET_KEY is of the instance ${id}, and CLERK_INSTANCE_ID names ${expected}`
  throw new OperationsError('clerk_instance_mismatch', message)
}

async function countBoth(
  api: ClerkApi,
  times: readonly number[],
  window: CreationWindow,
  signal: AbortSignal,
): Promise<WindowCount> {
  const { fromMs, toMs } = window
  const clerk = await api.count('user', { fromMs: fromMs ?? undefined, toMs, signal })
  return { ...window, clerk, here: countWithin(times, window) }
}

type Recount = { api: ClerkApi; mirror: Mirror; judgedBeforeMs: number; recountAfterMs: number; signal: AbortSignal }

/** The second counts of windows that differed, some of them where there are many: then there is no doubt. */
async function recounted(windows: readonly WindowCount[], recount: Recount): Promise<Map<WindowCount, WindowCount>> {
  const { api, mirror, judgedBeforeMs, recountAfterMs, signal } = recount
  if (windows.length === 0) return new Map()
  await wait(recountAfterMs, undefined, { signal })
  const times = await readUserTimes(mirror, judgedBeforeMs, signal)
  const again = windows.slice(0, PROBE_RECOUNTS_MAX)
  const counts = await inParallel(
    again,
    async (window) => [window, await countBoth(api, times, window, signal)] as const,
  )
  return new Map(counts)
}

/** When the users were created who were erased here and live at Clerk. */
async function erasedTimes(api: ClerkApi, mirror: Mirror, signal: AbortSignal): Promise<number[]> {
  const living = await api.usersAmong(await mirror.erasedUsers(PROBE_ERASED_MAX), signal)
  return living.map(({ createdAtMs }) => createdAtMs)
}

function withoutErased(window: WindowCount, erasedAtMs: readonly number[]): WindowCount {
  const { fromMs, toMs, clerk } = window
  const erased = erasedAtMs.filter((time) => time >= (fromMs ?? Number.NEGATIVE_INFINITY) && time < toMs).length
  return { ...window, clerk: clerk - erased }
}

const differs = ({ clerk, here }: WindowCount) => clerk !== here

type Newest = Pick<ProbeResult, 'newest' | 'missing' | 'stale'>

async function compareNewest(
  api: ClerkApi,
  mirror: Mirror,
  judgedBeforeMs: number,
  signal: AbortSignal,
): Promise<Newest> {
  const result: Newest = { newest: 0, missing: [], stale: [] }
  for await (const users of api.newestUsers(PROBE_NEWEST, signal)) {
    const judged = users.filter(({ updatedAtMs }) => updatedAtMs < judgedBeforeMs)
    const stored = await mirror.storedUsers(judged.map(({ id }) => id))
    result.newest += judged.length
    for (const user of judged) {
      const found = comparison(user, stored.get(user.id))
      if (found !== 'equal') result[found].push(user.id)
    }
  }
  return result
}

/** A sign-in moves `updated_at`, and need not send an event: what differs in nothing else is no older. */
function comparison({ updatedAtMs, text }: ApiObject, stored: StoredUser | undefined): 'equal' | 'missing' | 'stale' {
  if (stored?.deletedBy === 'operator') return 'equal'
  if (stored?.updatedAtMs == null || stored.data === null) return 'missing'
  if (stored.updatedAtMs >= updatedAtMs) return 'equal'
  return membersThatDiffer(stored.data, text).length > 0 ? 'stale' : 'equal'
}

/** Requests at once: a few are on their way while the rate lets the next one go. */
const AT_ONCE = 4

async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  let next = 0
  const worker = async () => {
    for (let at = next++; at < items.length; at = next++) {
      const item = items[at]
      if (item !== undefined) results[at] = await work(item)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return results
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0)
