import { setTimeout as pause } from 'node:timers/promises'

/** A process is up within half a second or so; `/readyz` itself takes up to two when a service hangs. */
const ASK_EVERY_MS = 100
const ANSWER_WITHIN_MS = 3000

/** Polls `/readyz` until it is ready. Returns the missing dependencies on a timeout; undefined once ready. */
export async function untilReady(
  url: string,
  { withinMs, signal }: { withinMs: number; signal: AbortSignal },
): Promise<string | undefined> {
  const deadlineMs = performance.now() + withinMs
  for (;;) {
    const reason = await reasonNotReady(url)
    if (reason === undefined || signal.aborted || performance.now() > deadlineMs) return reason
    await pause(ASK_EVERY_MS, undefined, { signal }).catch(() => undefined)
  }
}

interface ReadyzBody {
  checks?: Record<string, { ok: boolean; cause?: string }>
}

/** Undefined when ready; otherwise the causes, for people. */
async function reasonNotReady(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) })
    if (response.ok) return undefined
    const { checks = {} } = (await response.json()) as ReadyzBody
    const failed = Object.entries(checks).filter(([, check]) => !check.ok)
    return failed.map(([name, { cause }]) => `${name}: ${cause ?? 'not ready'}`).join(', ') || 'not ready'
  } catch {
    return 'it does not answer'
  }
}
