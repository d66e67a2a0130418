import type { Parser } from './config.js'
import { LOG_LEVELS, type LogLevel } from './logger.js'
import { Secret } from './secret.js'

const LAST_PORT = 65_535

/** A TCP port; 0 is any free one. */
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

/** The address of a web server. Its path may be a secret, as with those of chat services. */
export const webAddress: Parser<string> = (raw) => {
  const isWeb = URL.canParse(raw) && /^https?:$/.test(new URL(raw).protocol)
  if (!isWeb) throw new Error('must begin with https:// or http:// and be a complete address')
  return raw
}

export const text: Parser<string> = (raw) => raw

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
