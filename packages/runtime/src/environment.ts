import { existsSync, readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import type { Environment } from './config.js'

/**
 * The process's environment; what it lacks is taken from these files, the earlier ones first. Absent files are fine, and
 * a blank value hides none: `NAME=` is how a template says "not set".
 */
export function environment(files: readonly string[] = ['.env']): Environment {
  const contents = files.filter((file) => existsSync(file)).map((file) => parseEnv(readFileSync(file, 'utf8')))
  return Object.assign({}, ...[process.env, ...contents].reverse().map(withoutBlanks))
}

const withoutBlanks = (env: Environment) => Object.fromEntries(Object.entries(env).filter(([, value]) => value?.trim()))
