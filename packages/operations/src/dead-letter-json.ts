import type { DeadLetter } from '@clerk-mirror/queue/operate'

/** The documented shape, which the CLI and the console's API print. Times are ISO 8601. */
export const deadLetterJson = ({ id, type, objectId, reason, attempts, receivedAtMs, failedAtMs }: DeadLetter) => ({
  id,
  type,
  objectId,
  class: reason.class,
  code: reason.code,
  message: reason.message,
  fingerprint: reason.fingerprint,
  attempts,
  receivedAt: new Date(receivedAtMs).toISOString(),
  failedAt: new Date(failedAtMs).toISOString(),
})
