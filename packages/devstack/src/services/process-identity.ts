import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/**
 * A process and when it was born. A process id alone is not enough to kill by: after a crash or a reboot the number may
 * belong to a stranger.
 */
export interface ProcessIdentity {
  readonly pid: number
  readonly born: string
}

export function identify(pid: number): ProcessIdentity | undefined {
  const born = bornAt(pid)
  return born === undefined ? undefined : { pid, born }
}

export function isRunning({ pid, born }: ProcessIdentity): boolean {
  return bornAt(pid) === born
}

/** Sends the signal to this very process; nothing happens when it has ended. */
export function signal(identity: ProcessIdentity, name: NodeJS.Signals): void {
  if (!isRunning(identity)) return
  try {
    process.kill(identity.pid, name)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

/** The identity that was written to the file as JSON; undefined when there is none to be read. */
export function readIdentity(path: string): ProcessIdentity | undefined {
  try {
    const { pid, born }: Partial<Record<string, unknown>> = JSON.parse(readFileSync(path, 'utf8'))
    return typeof pid === 'number' && typeof born === 'string' ? { pid, born } : undefined
  } catch {
    return undefined
  }
}

/** undefined when there is no such process, or only its remains: a container's first process may never reap it. */
function bornAt(pid: number): string | undefined {
  if (process.platform === 'linux') return bornAtByProc(pid)
  const { stdout } = spawnSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' })
  const [state, ...started] = stdout.trim().split(/\s+/)
  return !state || state.startsWith('Z') ? undefined : started.join(' ')
}

function bornAtByProc(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The program's name stands in parentheses and may hold spaces and parentheses itself.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const [state, ticksSinceBoot] = [fields[0], fields[19]]
    if (state === 'Z' || state === 'X') return undefined
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}+${ticksSinceBoot}`
  } catch {
    return undefined
  }
}
