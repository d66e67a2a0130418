import pino from 'pino'
import pretty from 'pino-pretty'
import { errorFields } from './error-fields.js'
import { openStandardOutput } from './log-output.js'
import { printable } from './printable.js'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const

export type LogLevel = (typeof LOG_LEVELS)[number]

/** A fixed event name ("event.applied"), then ids, counts and durations. No payloads, addresses or names. */
export interface LogFields {
  readonly event: string
  readonly [field: string]: unknown
}

export interface Log {
  debug(fields: LogFields, message?: string): void
  info(fields: LogFields, message?: string): void
  warn(fields: LogFields, message?: string): void
  error(fields: LogFields, message?: string): void
}

export interface LogOptions {
  readonly app: string
  readonly level: LogLevel
  /** For people instead of programs; by default when standard output is a terminal. */
  readonly pretty?: boolean
  /** Takes each finished line instead of standard output. */
  readonly write?: (line: string) => void
}

/**
 * One JSON object per line: `level` (a word), `time` (ISO 8601), `app`, then the caller's fields, then `msg`.
 * A line is written before the call returns, unless the reader of standard output stalls (log-output.ts).
 */
export function openLog({ app, level, pretty: forPeople = process.stdout.isTTY, write }: LogOptions): Log {
  const output = write ? undefined : openStandardOutput((lines) => reportDropped(lines))
  const writeLine = write ?? ((line: string) => output?.write(line))
  const log = pino(
    {
      level,
      base: { app },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // pino's own would restore the fields that errorFields leaves out.
      serializers: { err: (fields: unknown) => fields },
    },
    { write: forPeople ? prettily(writeLine) : (line: string) => writeLine(`${printable(line.trimEnd())}\n`) },
  )
  // Before pino sees the fields, because for a line without a message it takes `err.message`.
  const at = (name: Exclude<LogLevel, 'silent'>) => (fields: LogFields, message?: string) => {
    if (log.isLevelEnabled(name)) log[name](safeToShow(fields), message)
  }
  const reportDropped = (lines: number) =>
    at('warn')({ event: 'log.dropped', lines }, 'the reader of the log did not read, and lines are missing here')
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

function safeToShow(fields: LogFields): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, shown(name, value)]))
}

function shown(name: string, value: unknown): unknown {
  if (name === 'err' || value instanceof Error) return errorFields(value)
  if (value instanceof Uint8Array) return `[${value.byteLength} bytes]`
  return value
}

// Instead of pino-pretty's stream, which passes lines on in a later tick, so that an exiting process loses its last
// lines.
function prettily(writeLine: (line: string) => void): (line: string) => void {
  const prettify = pretty.prettyFactory({
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'app,event',
    messageFormat: ({ app, event, msg }) => [app, event, msg].filter((part) => part !== undefined).join(' '),
    singleLine: true,
  })
  return (line) => writeLine(prettify(printableFields(JSON.parse(line))))
}

/**
 * Characters of foreign ids, types and messages must not command the terminal. Only stacks have several lines, all of
 * them frames.
 */
function printableFields(value: unknown, name = ''): unknown {
  if (typeof value === 'string')
    return name === 'stack'
      ? value
          .split('\n')
          .map((line) => printable(line))
          .join('\n')
      : printable(value)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((each) => printableFields(each))
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [printable(key), printableFields(each, key)]))
}
