import { spawn } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { StartFault } from './faults.js'
import { NODE_FLAGS } from './node-flags.js'

export interface MigrationOptions {
  /** The CLI's compiled main file. */
  script: string
  cwd: string
  env: Readonly<Record<string, string | undefined>>
  logFile: string
}

/** The reason stands at the end of the CLI's output. */
const SHOWN_LINES = 6

/** Applies the migrations as an operator would: through the CLI. Throws StartFault with the CLI's output. */
export async function applyMigrations({ script, cwd, env, logFile }: MigrationOptions): Promise<void> {
  const child = spawn(process.execPath, [...NODE_FLAGS, script, 'migrate'], {
    ...{ cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] },
  })
  const exited = new Promise((resolve) => child.once('close', resolve))
  const [said, complained] = await Promise.all([text(child.stdout), text(child.stderr)])
  const code = await exited
  appendFileSync(logFile, said + complained, { mode: 0o600 })
  if (code === 0) return
  const lines = (complained.trim() || said.trim()).split('\n').slice(-SHOWN_LINES)
  throw new StartFault(`the migrations could not be applied (log: ${logFile})\n${lines.join('\n')}`)
}
