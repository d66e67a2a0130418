import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statfsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { ServerControl } from '@clerk-mirror/devstack'
import { folderElsewhere } from '../../../packages/devstack/src/services/server-user.js'

/** A disk of the database's own, which can be full. */
export type Disk = AsyncDisposable & { fill: () => void; free: () => void }

const SIZE = '4g'
const SERVERS = ['mariadb', 'mysql'] as const

/** The folder that the server's data are in. */
const dataIn = (folder: string) =>
  [folderElsewhere(resolve(folder, 'services')) ?? [], resolve(folder, 'services')]
    .flat()
    .flatMap((services) => SERVERS.map((name) => join(services, name)))
    .find((path) => existsSync(path))

const isMounted = (path: string) =>
  readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .some((line) => line.split(' ')[1] === path)

/**
 * Moves the server's data to a file system in memory, and back in the end. Null where that cannot be mounted: it takes
 * root, and more rights than a container has.
 */
export async function openDisk(folder: string, server: ServerControl): Promise<Disk | null> {
  const data = dataIn(folder)
  if (process.platform !== 'linux' || data === undefined) return null
  // A run that was killed has left it as it was, with the data.
  if (!isMounted(data) && !(await moveToMemory(data, server))) return null
  return {
    fill: () => resize(data, usedBytes(data)),
    free: () => resize(data, SIZE),
    async [Symbol.asyncDispose]() {
      await server.stop()
      const kept = join(folder, 'data-of-the-database')
      rmSync(kept, { recursive: true, force: true })
      mkdirSync(kept)
      execFileSync('cp', ['--archive', `${data}/.`, kept])
      leaveDisk(folder)
      rmSync(data, { recursive: true })
      renameSync(kept, data)
    },
  }
}

async function moveToMemory(data: string, server: ServerControl): Promise<boolean> {
  const draft = `${data}-draft`
  mkdirSync(draft, { recursive: true })
  try {
    mount(['-t', 'tmpfs', '-o', `size=${SIZE}`, 'tmpfs', draft])
  } catch {
    rmSync(draft, { recursive: true })
    return false
  }
  await server.stop()
  // Every byte for real: a hole in the redo log that cannot be filled would end the server.
  execFileSync('cp', ['--archive', '--sparse=never', `${data}/.`, draft])
  rmSync(data, { recursive: true })
  mkdirSync(data)
  mount(['--move', draft, data])
  rmSync(draft, { recursive: true })
  await server.start()
  return true
}

/** A run that was killed may have left its disk full, and no server starts on that. */
export function freeDisk(folder: string): void {
  const data = mountedIn(folder)
  if (data !== undefined) resize(data, SIZE)
}

/** Lets go of a disk that a killed run has left. */
export function leaveDisk(folder: string): void {
  const data = mountedIn(folder)
  if (data !== undefined) execFileSync('umount', [data])
}

const mountedIn = (folder: string) => {
  const data = dataIn(folder)
  return process.platform === 'linux' && data !== undefined && isMounted(data) ? data : undefined
}

const resize = (data: string, size: string | number) => mount(['-o', `remount,size=${size}`, data])
const mount = (args: readonly string[]) => void execFileSync('mount', args, { stdio: 'ignore' })

function usedBytes(data: string): number {
  const { blocks, bfree, bsize } = statfsSync(data)
  return (blocks - bfree) * bsize
}
