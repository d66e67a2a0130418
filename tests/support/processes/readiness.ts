import { expect } from 'vitest'
import { until } from '../until.js'
import { health } from './processes.js'

/**
 * Waits until /readyz answers with 503 and these members. A busy machine, or connections that break, may show another
 * cause first.
 */
export async function untilNotReady({ url }: { url: string }, answer: object): Promise<void> {
  await until(async () => {
    expect(await health(url, '/readyz')).toMatchObject({ status: 503, ...answer })
    return true
  })
}

/** The body of /readyz of a worker whose database is the reason. */
export const mysqlCause = (words: string | RegExp) => ({
  body: { checks: { mysql: { ok: false, cause: expect.stringMatching(words) } } },
})
