/** The work exceeded its deadline. It is not cancelled, only no longer awaited. */
export class DeadlineExceeded extends Error {
  override readonly name = 'DeadlineExceeded'
  readonly code = 'deadline_exceeded'

  constructor(deadlineMs: number) {
    super(`not done after ${deadlineMs} ms`)
  }
}

/** @throws DeadlineExceeded, or the error of the work. */
export async function withDeadline<T>(deadlineMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DeadlineExceeded(deadlineMs)), deadlineMs)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
