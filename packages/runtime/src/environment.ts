import { existsSync, readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import type { Environment } from './config.js'

/**
 * The process's environment; missing values come from these files, the earlier ones first. Absent files are allowed,
 * and a blank value hides none: in a template `NAME=` means "not set". Editors and shells of Windows write byte order
 * marks and UTF-16, which would make every setting of a file unknown.
 */
export function environment(files: readonly string[] = ['.env']): Environment {
  const contents = files.filter((file) => existsSync(file)).map((file) => parseEnv(textOf(readFileSync(file))))
  return Object.assign({}, ...[process.env, ...contents].reverse().map(withoutBlanks))
}

const withoutBlanks = (env: Environment) => Object.fromEntries(Object.entries(env).filter(([, value]) => value?.trim()))

/** The text without its byte order mark, and with Unix line breaks. */
const textOf = (bytes: Buffer): string => new TextDecoder(encodingOf(bytes)).decode(bytes).replace(/\r\n?/g, '\n')

/**
 * By the byte order mark; without one, by the zero byte beside each ASCII character in UTF-16, because settings begin
 * with ASCII.
 */
function encodingOf([first, second]: Buffer): string {
  if ((first === 0xff && second === 0xfe) || (first !== 0 && second === 0)) return 'utf-16le'
  if ((first === 0xfe && second === 0xff) || (first === 0 && second !== undefined)) return 'utf-16be'
  return 'utf-8'
}
