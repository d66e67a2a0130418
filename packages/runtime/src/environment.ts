import { existsSync, readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import type { Environment } from './config.js'

/**
 * The process's environment; missing values come from these files, the earlier ones first. Absent files are fine, and a
 * blank value hides none: `NAME=` is how a template says "not set". Editors and shells of Windows write byte order
 * marks and UTF-16, under which a file would hold no setting that anything asks for.
 */
export function environment(files: readonly string[] = ['.env']): Environment {
  const contents = files.filter((file) => existsSync(file)).map((file) => parseEnv(textOf(readFileSync(file))))
  return Object.assign({}, ...[process.env, ...contents].reverse().map(withoutBlanks))
}

const withoutBlanks = (env: Environment) => Object.fromEntries(Object.entries(env).filter(([, value]) => value?.trim()))

/** The text without its byte order mark, and with line breaks as they are elsewhere. */
const textOf = (bytes: Buffer): string => new TextDecoder(encodingOf(bytes)).decode(bytes).replace(/\r\n?/g, '\n')

/** By the mark; without one, by the zero that UTF-16 has beside each ASCII character, with which settings begin. */
function encodingOf([first, second]: Buffer): string {
  if ((first === 0xff && second === 0xfe) || (first !== 0 && second === 0)) return 'utf-16le'
  if ((first === 0xfe && second === 0xff) || (first === 0 && second !== undefined)) return 'utf-16be'
  return 'utf-8'
}
