import { isIP } from 'node:net'
import type { Parser } from './config.js'
import { KEEP_ALIVE_MAX_S, SHUTDOWN_DELAY_MAX_S } from './limits.js'
import { LOG_LEVELS, type LogLevel } from './logger.js'
import { Secret } from './secret.js'
import type { TracesExporter } from './tracing.js'

const LAST_PORT = 65_535

/** A TCP port; 0 means any free one. */
export const port: Parser<number> = (raw) => {
  const value = /^\d{1,5}$/.test(raw) ? Number(raw) : Number.NaN
  if (!(value <= LAST_PORT)) throw new Error(`must be a whole number from 0 to ${LAST_PORT}`)
  return value
}

export function wholeNumber(least: number, most: number): Parser<number> {
  return (raw) => {
    const value = /^\d{1,9}$/.test(raw) ? Number(raw) : Number.NaN
    if (!(value >= least && value <= most)) throw new Error(`must be a whole number from ${least} to ${most}`)
    return value
  }
}

/** Seconds, as milliseconds. */
function seconds(least: number, most: number): Parser<number> {
  const parse = wholeNumber(least, most)
  return (raw) => parse(raw) * 1000
}

export const keepAlive: Parser<number> = seconds(1, KEEP_ALIVE_MAX_S)

export const shutdownDelay: Parser<number> = seconds(0, SHUTDOWN_DELAY_MAX_S)

export const flag: Parser<boolean> = (raw) => {
  const value = FLAGS.get(raw)
  if (value === undefined) throw new Error(`must be ${listOf([...FLAGS.keys()])}`)
  return value
}

const FLAGS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['false', false],
  ['1', true],
  ['0', false],
])

/** OpenTelemetry's spelling: `TRUE` is true too, and `1` is not. */
export const openTelemetryFlag: Parser<boolean> = (raw) => {
  if (!/^(?:true|false)$/i.test(raw)) throw new Error('must be true or false')
  return raw.toLowerCase() === 'true'
}

/** Several exporters may be named: ours among them, or none at all. */
export const tracesExporter: Parser<TracesExporter> = (raw) => {
  const names = raw.split(',').map((name) => name.trim().toLowerCase())
  if (names.includes('none')) return 'none'
  if (!names.includes('otlp')) throw new Error('must be otlp or none: no other exporter is part of this')
  return 'otlp'
}

/** The address of a web server. Its path may be a secret, as with those of chat services. */
export const webAddress: Parser<string> = (raw) => {
  // URL also parses a host from `https:example.com` and `https:/example.com`.
  const isWeb = /^https?:\/\/[^/]/i.test(raw) && URL.canParse(raw)
  if (!isWeb) throw new Error('must begin with https:// or http:// and be a complete address')
  return raw
}

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*$/i

/** An address or a name to listen on. A name of numbers alone is an address that lost a part. */
export const host: Parser<string> = (raw) => {
  const isName = HOST_NAME.test(raw) && !/^[\d.]+$/.test(raw)
  if (isIP(raw) === 0 && !isName) throw new Error('must be an IP address or a host name, without scheme and port')
  return raw
}

/** As Clerk makes them. */
export const isInstanceId = (text: string): boolean => /^ins_[A-Za-z0-9]{1,60}$/.test(text)

/** One that is copied wrongly, such as a key or the id of an application, would drop every event. */
export const instanceId: Parser<string> = (raw) => {
  if (!isInstanceId(raw)) throw new Error('must be the id of a Clerk instance: ins_ and letters and digits')
  return raw
}

export function oneOf<const T extends string>(...allowed: readonly [T, ...T[]]): Parser<T> {
  return (raw) => {
    const value = allowed.find((each) => each === raw)
    if (value === undefined) throw new Error(`must be ${listOf(allowed)}`)
    return value
  }
}

export const logLevel: Parser<LogLevel> = oneOf(...LOG_LEVELS)

export function secret<T>(parse: Parser<T>): Parser<Secret<T>> {
  return (raw) => new Secret(parse(raw))
}

const listOf = (words: readonly string[]) => `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
