import { StackError } from './services/stack-error.js'

/** An expected fault of the call or the environment: its message is for people and is shown without a stack. */
export class StartFault extends Error {
  override readonly name = 'StartFault'
}

/** Bad arguments. The message names the argument and its fault. */
export class UsageFault extends Error {
  override readonly name = 'UsageFault'
}

const EXIT_USAGE = 2
const EXIT_FAILURE = 1

/** Prints the error that ended the program, and returns the exit code. */
export function reportFault(error: unknown): number {
  const isExpected = [StartFault, UsageFault, StackError].some((known) => error instanceof known)
  const text = error instanceof Error ? (isExpected ? error.message : error.stack) : String(error)
  process.stderr.write(`${text}\n`)
  return error instanceof UsageFault ? EXIT_USAGE : EXIT_FAILURE
}
