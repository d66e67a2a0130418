/** An answer before faults are added to it. */
export type StandInAnswer = { status: number; body: string; headers?: Readonly<Record<string, string>> }

export const ok = (body: string): StandInAnswer => ({ status: 200, body })

/** A refusal in Clerk's shape. */
export function refused(status: number, code: string, headers: Readonly<Record<string, string>> = {}): StandInAnswer {
  const message = code.replaceAll('_', ' ')
  const errors = [{ message, long_message: message, code }]
  return { status, body: JSON.stringify({ errors, clerk_trace_id: 'stand_in' }), headers }
}

export const throttled = (retryAfterS: number | null): StandInAnswer =>
  refused(429, 'too_many_requests', retryAfterS === null ? {} : { 'retry-after': String(retryAfterS) })
