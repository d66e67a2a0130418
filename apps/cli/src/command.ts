import type { Environment } from '@clerk-mirror/runtime'

/** 0 done, 1 failed, 2 wrong usage, 3 drift found. */
export type ExitCode = 0 | 1 | 2 | 3

export type Values = Readonly<Record<string, string | boolean | string[] | undefined>>

export type Call = {
  env: Environment
  values: Values
  positionals: readonly string[]
  /** Each text is a line: line breaks and other control characters in it, from outside, are shown escaped. */
  out: (...lines: string[]) => void
  /** Notices, which must not spoil a program's input. */
  note: (...lines: string[]) => void
}

export type Command = {
  usage: string
  summary: string
  /** Shown by --help, one a line. */
  examples: readonly string[]
  /** node:util's parseArgs; --help and --json are everybody's. */
  options: Readonly<Record<string, { type: 'string' | 'boolean'; multiple?: boolean; doc: string }>>
  run: (call: Call) => Promise<ExitCode>
}

/** The call itself was wrong: the text says how it is right. */
export class WrongUsage extends Error {
  override readonly name = 'WrongUsage'
}
