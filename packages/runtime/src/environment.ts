import { existsSync, readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import type { Environment } from './config.js'

/** The process's environment; what it lacks is taken from these files, the earlier ones first. Absent ones are fine. */
export function environment(files: readonly string[] = ['.env']): Environment {
  const contents = files.filter((file) => existsSync(file)).map((file) => parseEnv(readFileSync(file, 'utf8')))
  return Object.assign({}, ...contents.reverse(), process.env)
}
