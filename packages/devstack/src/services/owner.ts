import { linkSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { identify, isRunning, type ProcessIdentity, readIdentity } from './process-identity.js'
import { StackError } from './stack-error.js'

// The owner of a data folder stands in `owner-N.json`. The highest N holds, unless its process is gone or has let go
// (then the file is empty). The next owner takes N + 1: creating a file that must not exist is atomic, so of several
// processes that find the same N one wins. Numbers only grow: had a claim been deleted and its number used again, a
// rival that had looked before and creates its file after could not tell that it was late.
const CLAIM = /^owner-(\d+)\.json$/

/** The running process that owns the folder, if any. */
export function ownerOf(folder: string): ProcessIdentity | undefined {
  const owner = newestClaim(folder)?.owner
  return owner && isRunning(owner) ? owner : undefined
}

/** Makes this process the folder's owner until disposed of. Throws StackError `stack_running` when it has one. */
export function claimFolder(folder: string): Disposable {
  for (;;) {
    // Read once: after a second read the next number would follow the claim of a running owner.
    const newest = newestClaim(folder)
    if (newest?.owner && isRunning(newest.owner)) {
      throw new StackError('stack_running', `${folder} is in use by process ${newest.owner.pid}: stop that one first`)
    }
    const generation = (newest?.generation ?? 0) + 1
    const claim = join(folder, `owner-${generation}.json`)
    if (!createWhole(claim)) continue
    // Between the look and the claim others may have come and gone, and one may hold a higher number.
    if (newestClaim(folder)?.generation !== generation) {
      rmSync(claim, { force: true })
      continue
    }
    for (const older of claimsIn(folder))
      if (older < generation) rmSync(join(folder, `owner-${older}.json`), { force: true })
    return { [Symbol.dispose]: () => writeFileSync(claim, '') }
  }
}

/** Creates the file with its content in one step: a claim without its owner must never be visible. */
function createWhole(claim: string): boolean {
  const draft = `${claim}.${process.pid}`
  writeFileSync(draft, JSON.stringify(identify(process.pid)))
  try {
    linkSync(draft, claim)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(draft)
  }
}

/** A claim that cannot be read has no owner: it was let go, or left by a full disk or a power cut. */
function newestClaim(folder: string): { generation: number; owner: ProcessIdentity | undefined } | undefined {
  const generation = claimsIn(folder).at(-1)
  if (generation === undefined) return undefined
  return { generation, owner: readIdentity(join(folder, `owner-${generation}.json`)) }
}

function claimsIn(folder: string): number[] {
  return readdirSync(folder)
    .flatMap((name) => CLAIM.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b)
}
