import { createHash } from 'node:crypto'
import type { Failure, FailureClass } from '@clerk-mirror/events'

/** A failure as BullMQ keeps it: one line of text, which stock tools show as it is. */
export type Reason = { class: FailureClass; code: string; message: string; fingerprint: string }

const LINE = /^(outage|contention|blocked|poison|killer|unknown)\/([\w.-]+): (.*)$/s

export const reasonLine = (failure: Failure): string => `${failure.class}/${failure.code}: ${failure.message}`

/** The reason that a failure will stand under as a dead letter. */
export const reasonOf = (failure: Failure): Reason => readReason(reasonLine(failure))

export function readReason(line: string): Reason {
  const [, failureClass = 'unknown', code = 'unclassified', message = line] = LINE.exec(line) ?? []
  const cause = `${failureClass}/${code}/${message.replace(/\d+/g, '#')}`
  const fingerprint = createHash('sha256').update(cause).digest('hex').slice(0, FINGERPRINT_LENGTH)
  return { class: failureClass as FailureClass, code, message, fingerprint }
}

/** Enough to tell the causes in one queue apart, and short enough to type. */
const FINGERPRINT_LENGTH = 8

/**
 * Where it happened: the frames of the deepest cause. Without the messages, which quote values where the database or
 * the driver wrote them.
 */
export function framesOf(failure: Failure): string {
  let error: Error = failure
  while (error.cause instanceof Error) error = error.cause
  const frames = (error.stack ?? '').split('\n').filter((line) => line.startsWith('    at '))
  return [reasonLine(failure), ...frames].join('\n')
}
