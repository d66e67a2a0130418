import { spawn } from 'node:child_process'
import type { ServerUser } from './server-user.js'

/**
 * Where servers live that a user's PATH may not name: system folders, Fedora's libexec, Homebrew, MySQL's installers.
 */
const FURTHER_FOLDERS = [
  '/usr/sbin',
  '/usr/local/sbin',
  '/usr/libexec',
  '/usr/local/bin',
  ...['/opt/homebrew', '/usr/local', '/home/linuxbrew/.linuxbrew'].flatMap((brew) => [
    `${brew}/bin`,
    `${brew}/opt/mariadb/bin`,
    `${brew}/opt/mysql/bin`,
    `${brew}/opt/redis/bin`,
  ]),
  '/usr/local/mysql/bin',
]

/**
 * Prints the first of the programs "$2"… that is on PATH or in the folders "$1"; `which` is not everywhere, this is.
 */
const FIND = 'PATH="$PATH:$1"; shift; for name; do command -v "$name" && exit 0; done; exit 1'

export interface Finished {
  /** The exit code; null when the program could not be run or did not end in time. */
  readonly exitCode: number | null
  /** The program's output, standard error included. */
  readonly output: string
}

export interface RunOptions {
  readonly withinMs?: number
  readonly cwd?: string
  /** As another user than this process. */
  readonly user?: ServerUser | undefined
}

/** Runs a program to its end, without a terminal to ask on. Does not throw. */
export function run(
  program: string,
  args: readonly string[],
  { withinMs, cwd, user }: RunOptions = {},
): Promise<Finished> {
  return new Promise((resolve) => {
    let output = ''
    const collect = (text: string) => {
      output += text
    }
    const child = spawn(program, args, {
      cwd,
      ...(user && { uid: user.uid, gid: user.gid }),
      timeout: withinMs,
      killSignal: 'SIGKILL',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child.stdout.setEncoding('utf8').on('data', collect)
    child.stderr.setEncoding('utf8').on('data', collect)
    child.once('error', (error) => resolve({ exitCode: null, output: error.message }))
    child.once('close', (exitCode) => resolve({ exitCode, output }))
  })
}

/** The path of the first program that this machine has. */
export async function findProgram(...names: readonly string[]): Promise<string | undefined> {
  const { exitCode, output } = await run('sh', ['-c', FIND, 'find', FURTHER_FOLDERS.join(':'), ...names])
  return exitCode === 0 ? output.trim() : undefined
}

/** The line of a program's output that gives the reason of its failure, as far as programs write one. */
export function complaintIn(output: string): string {
  const lines = output.trimEnd().split('\n')
  return (lines.find((line) => COMPLAINT.test(line)) ?? lines.at(-1))?.trim() || 'it said nothing'
}

const COMPLAINT = /\berror\b|fatal|can't|cannot|failed|could not|unable/i
