import { createHash } from 'node:crypto'
import type { Failure, FailureClass } from '@clerk-mirror/events'

/** A failure as BullMQ stores it: one line of text, which stock tools show unchanged. */
export type Reason = { class: FailureClass; code: string; message: string; fingerprint: string }

const LINE = /^(outage|contention|blocked|poison|killer|unknown)\/([\w.-]+): (.*)$/s

export const reasonLine = (failure: Failure): string => `${failure.class}/${failure.code}: ${failure.message}`

/** The reason of a dead letter with this failure. */
export const reasonOf = (failure: Failure): Reason => readReason(reasonLine(failure))

export function readReason(line: string): Reason {
  const [, failureClass = 'unknown', code = 'unclassified', message = line] = LINE.exec(line) ?? []
  const cause = `${failureClass}/${code}/${message.replace(/\d+/g, '#')}`
  const fingerprint = createHash('sha256').update(cause).digest('hex').slice(0, FINGERPRINT_LENGTH)
  return { class: failureClass as FailureClass, code, message, fingerprint }
}

/** Enough to distinguish the causes in one queue, and short enough to type. */
const FINGERPRINT_LENGTH = 8

/**
 * The place of the failure: the stack frames of the deepest cause. Without the messages, which quote values where the
 * database or the driver wrote them.
 */
export function framesOf(failure: Failure): string {
  let error: Error = failure
  while (error.cause instanceof Error) error = error.cause
  const frames = (error.stack ?? '').split('\n').filter((line) => line.startsWith('    at '))
  return [reasonLine(failure), ...frames].join('\n')
}
