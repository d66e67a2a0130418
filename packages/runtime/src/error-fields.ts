import { ERROR_CHAIN_LIMIT, ERROR_MESSAGE_LIMIT_CHARS, STACK_FRAME_LIMIT } from './limits.js'

/** An error's fields in a log line. */
export interface ErrorFields {
  readonly name: string
  readonly message: string
  readonly code?: string | number
  readonly stack?: string
  readonly cause?: ErrorFields
  /** The members of an AggregateError; of a SuppressedError the later and the earlier error. */
  readonly errors?: readonly ErrorFields[]
}

/**
 * Lists the kept fields instead of the dropped ones: libraries attach requests, queries with their parameters and whole
 * payloads to their errors, under any name. For the same reason a thrown value that is not an Error is not shown at
 * all.
 */
export function errorFields(error: unknown, depthLimit = ERROR_CHAIN_LIMIT): ErrorFields {
  if (!(error instanceof Error)) {
    return { name: 'NotAnError', message: `a value of type ${typeof error} was thrown` }
  }
  const code = codeOf(error)
  const stack = framesOf(error)
  const deeper = depthLimit > 1
  const members = deeper ? membersOf(error) : []
  return {
    name: error.name,
    message: error.message.slice(0, ERROR_MESSAGE_LIMIT_CHARS),
    ...(code !== undefined && { code }),
    ...(stack !== '' && { stack }),
    ...(deeper && error.cause instanceof Error && { cause: errorFields(error.cause, depthLimit - 1) }),
    // Two levels down, because members multiply where a chain only adds.
    ...(members.length > 0 && { errors: members.map((member) => errorFields(member, depthLimit - 2)) }),
  }
}

function codeOf(error: Error): string | number | undefined {
  const code: unknown = 'code' in error ? error.code : undefined
  return typeof code === 'string' || typeof code === 'number' ? code : undefined
}

// Without the first lines, which repeat the message, uncut.
function framesOf(error: Error): string {
  const lines = error.stack?.split('\n') ?? []
  return lines
    .filter((line) => /^ +at /.test(line))
    .slice(0, STACK_FRAME_LIMIT)
    .join('\n')
}

function membersOf(error: Error): Error[] {
  const property = (name: string): unknown => Reflect.get(error, name)
  const errors = property('errors')
  const members: unknown[] = Array.isArray(errors) ? errors : [property('error'), property('suppressed')]
  return members.filter((member) => member instanceof Error).slice(0, ERROR_CHAIN_LIMIT)
}
