import {
  ANSWER_MS,
  RETRY_FIRST_MS,
  RETRY_MAX_MS,
  THROTTLED_FIRST_MS,
  THROTTLED_MAX_MS,
  THROTTLED_TRIES,
  TRIES,
} from './limits.js'

/** Tests have shorter delays. */
export type RetryPolicy = typeof RETRY_POLICY

export const RETRY_POLICY = {
  answerMs: ANSWER_MS as number,
  tries: TRIES as number,
  retryFirstMs: RETRY_FIRST_MS as number,
  retryMaxMs: RETRY_MAX_MS as number,
  throttledFirstMs: THROTTLED_FIRST_MS as number,
  throttledMaxMs: THROTTLED_MAX_MS as number,
  throttledTries: THROTTLED_TRIES as number,
}
