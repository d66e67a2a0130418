/**
 * Redis does not answer an operator, or refuses the command; the message gives the reason in the words of Redis or the
 * client.
 */
export class QueueUnavailable extends Error {
  override readonly name = 'QueueUnavailable'
  readonly code = 'queue_unavailable'

  constructor(message: string, cause: unknown) {
    super(message, { cause })
  }
}

/** @throws QueueUnavailable for any error of the work: it does nothing but ask Redis. */
export async function asQueueUnavailable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (error instanceof QueueUnavailable) throw error
    throw new QueueUnavailable(`Redis cannot be used: ${error instanceof Error ? error.message : String(error)}`, error)
  }
}
