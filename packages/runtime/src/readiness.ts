import { DeadlineExceeded, withDeadline } from './deadline.js'
import { CHECK_DEADLINE_MS, READINESS_DEADLINE_MS, READINESS_KEPT_MS } from './limits.js'

export interface Check {
  readonly ok: boolean
  /** The cause, in a few words for every client of the port: no addresses, no credentials. */
  readonly cause?: string
  /** A note for operators although the check passed. */
  readonly note?: string
}

/** The dependencies of a process, by name, with their state. */
export type Readiness = () => Promise<Readonly<Record<string, Check>>>

export interface HealthAnswer {
  readonly status: 200 | 503
  readonly body: { readonly status: string; readonly checks?: Readonly<Record<string, Check>> }
}

/** The answer to GET /livez: the event loop turns. Ignores Redis and MySQL: a restart would not repair them. */
export const LIVEZ: HealthAnswer = { status: 200, body: { status: 'ok' } }

/** The answer to GET /readyz. Never throws and never takes longer than READINESS_DEADLINE_MS. */
export async function readyz(readiness: Readiness): Promise<HealthAnswer> {
  const checks = await bounded(READINESS_DEADLINE_MS, readiness).catch((error) => ({ readiness: failed(error) }))
  const ready = Object.values(checks).every(({ ok }) => ok)
  return { status: ready ? 200 : 503, body: { status: ready ? 'ready' : 'not ready', checks } }
}

/**
 * Runs the checks in parallel, each within CHECK_DEADLINE_MS, so that the answer names the one that hangs. Overlapping
 * calls share one run, and its answer is reused for READINESS_KEPT_MS: a flood of probes costs Redis and MySQL no more
 * than one probe a second. Once the process is told to stop it is not ready, whatever the state of its dependencies.
 */
export function readinessOf(checks: Readonly<Record<string, () => Promise<Check>>>, stopping: AbortSignal): Readiness {
  const runOne = async ([name, check]: [string, () => Promise<Check>]) =>
    [name, await bounded(CHECK_DEADLINE_MS, check).catch(failed)] as const
  const runAll = async () => Object.fromEntries(await Promise.all(Object.entries(checks).map(runOne)))
  let answer: ReturnType<Readiness> | undefined
  let keptUntilMs = 0
  return () => {
    if (stopping.aborted) return Promise.resolve(STOPPING)
    if (answer !== undefined && performance.now() < keptUntilMs) return answer
    keptUntilMs = Number.POSITIVE_INFINITY
    answer = runAll().finally(() => {
      keptUntilMs = performance.now() + READINESS_KEPT_MS
    })
    return answer
  }
}

const STOPPING = { process: { ok: false, cause: 'the process is stopping' } }

// async, so that a check that throws before its first await is a rejection like any other.
async function bounded<T>(deadlineMs: number, check: () => Promise<T>): Promise<T> {
  return withDeadline(deadlineMs, check())
}

// The code and not the message: messages of drivers name hosts and accounts, and ingest's port is public.
function failed(error: unknown): Check {
  if (error instanceof DeadlineExceeded) return { ok: false, cause: 'no answer in time' }
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined
  return { ok: false, cause: typeof code === 'string' ? code : 'the check failed' }
}
