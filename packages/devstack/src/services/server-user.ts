import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/*
 * An intruder into a server that runs as root is root. So when this process is root's, servers run as system users that
 * own nothing but the servers' files.
 */

/** A user of this machine other than the one that runs this process. */
export interface ServerUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** The folder of a server's files, and the user that it runs as; undefined for the user of this process. */
export interface ServerHome {
  readonly folder: string
  readonly user: ServerUser | undefined
}

/** Every user may pass through, only the owner may list; the content has modes of its own. */
const PASSABLE = 0o711

/** For servers of a stack in a folder that no other user can reach, such as /root. */
const FOLDERS_ELSEWHERE = '/var/lib/clerk-mirror-dev'

/**
 * Names the folder elsewhere. It goes with the stack's own folder, so that a stack that begins anew finds no old data.
 */
const noteIn = (folder: string) => join(folder, 'elsewhere')

/** Where the servers of this stack keep their data if not in its own folder. */
export const folderElsewhere = (folder: string): string | undefined =>
  existsSync(noteIn(folder)) ? join(FOLDERS_ELSEWHERE, basename(readFileSync(noteIn(folder), 'utf8'))) : undefined

/** The first of these users that this machine has is taken. */
export function chooseHome(folder: string, names: readonly string[], say: (line: string) => void): ServerHome {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return { folder, user: undefined }
  const user = firstOf([...names, 'nobody'])
  if (user === undefined || !mayBecome(user, '/')) {
    say('servers run as root: this machine lets this process start none as another user')
    return { folder, user: undefined }
  }
  for (const own of ownFolders(folder)) chmodSync(own, statSync(own).mode | PASSABLE)
  if (folderElsewhere(folder) === undefined) {
    if (mayBecome(user, folder)) return { folder, user }
    writeFileSync(noteIn(folder), randomBytes(6).toString('hex'), { mode: 0o600 })
  }
  const elsewhere = folderElsewhere(folder) ?? folder
  mkdirSync(elsewhere, { recursive: true, mode: PASSABLE })
  return { folder: elsewhere, user }
}

/** The folder, the stack's around it, and those of the repository's that these lie in. */
function ownFolders(folder: string): string[] {
  const own = [folder, dirname(folder)]
  for (let next = dirname(dirname(folder)); next.startsWith(ROOT); next = dirname(next)) own.push(next)
  return own
}

/** With a slash at the end: the root itself must not change hands. */
const ROOT = fileURLToPath(new URL('../../../../', import.meta.url))

/** Gives a file or a folder with all in it to the server's user, unless it is theirs. */
export function giveTo(user: ServerUser | undefined, path: string): void {
  if (user === undefined || statSync(path).uid === user.uid) return
  const paths = statSync(path).isDirectory() ? readdirSync(path, { recursive: true, encoding: 'utf8' }) : []
  for (const each of paths) chownSync(join(path, each), user.uid, user.gid)
  // Last, so that an interruption is noticed and the work done again.
  chownSync(path, user.uid, user.gid)
}

/** A folder for the server alone. */
export function makeServerFolder({ user }: ServerHome, path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 })
  giveTo(user, path)
}

/** Takes data along that an earlier version kept beside the stack's own files. */
export function takeAlong(from: string, to: string): void {
  if (from === to || existsSync(to) || !existsSync(from)) return
  // Under another name until it is complete, for the two may be on different disks.
  rmSync(`${to}.new`, { recursive: true, force: true })
  cpSync(from, `${to}.new`, { recursive: true })
  renameSync(`${to}.new`, to)
  rmSync(from, { recursive: true })
}

function firstOf(names: readonly string[]): ServerUser | undefined {
  const users = readFileSync('/etc/passwd', 'utf8').split('\n').map(userOf)
  return names.map((name) => users.find((user) => user?.name === name)).find((user) => user !== undefined)
}

function userOf(line: string): ServerUser | undefined {
  const [name = '', , uid, gid] = line.split(':')
  const user = { name, uid: Number(uid), gid: Number(gid) }
  return Number.isInteger(user.uid) && Number.isInteger(user.gid) && user.uid > 0 ? user : undefined
}

/** Whether a program can be run as this user, and gets into the folder. A container may lack the rights for either. */
const mayBecome = ({ uid, gid }: ServerUser, folder: string): boolean =>
  spawnSync('sh', ['-c', 'cd "$1"', 'sh', folder], { uid, gid, stdio: 'ignore' }).status === 0
