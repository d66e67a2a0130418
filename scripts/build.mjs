/**
 * `npm run build`: Prisma's client and all workspaces, as far as they are out of date.
 *
 * `tsc -b` alone compares times and trusts its own notes: it sees neither a deleted output, nor a source whose content
 * came with an older time, and it keeps the outputs of sources that were moved or removed. So each output has a stamp
 * beside it, the hash of everything that it was made of, and a build whose stamps all match starts no compiler.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')
const CLIENT = 'packages/mirror/src/generated'
const STAMP = '.stamp'
const BUILD_INFO = '.tsbuildinfo'

const at = (path) => join(ROOT, path)
const json = (path) => JSON.parse(readFileSync(at(path), 'utf8'))

/** All files below a folder, sorted; none when there is no such folder. */
function filesIn(folder) {
  if (!existsSync(at(folder))) return []
  const entries = readdirSync(at(folder), { withFileTypes: true }).map((entry) => ({
    path: `${folder}/${entry.name}`,
    isFolder: entry.isDirectory(),
  }))
  return entries.flatMap(({ path, isFolder }) => (isFolder ? filesIn(path) : [path])).sort()
}

/** Of names and contents. A file that is missing counts as empty. */
function hashOf(paths) {
  const hash = createHash('sha256')
  for (const path of paths) {
    const content = existsSync(at(path)) ? readFileSync(at(path)) : ''
    hash.update(`${path}\0${content.length}\0`).update(content)
  }
  return hash.digest('hex')
}

function readStamp(folder) {
  try {
    return json(`${folder}/${STAMP}`)
  } catch {
    return {}
  }
}

const removeStamp = (folder) => rmSync(at(`${folder}/${STAMP}`), { force: true })
const writeStamp = (folder, stamp) => writeFileSync(at(`${folder}/${STAMP}`), JSON.stringify(stamp))
const isSame = (one, other) => JSON.stringify(one) === JSON.stringify(other)

/** Ends this process where the program fails. A quiet program is heard only then. */
function run(bin, args, { isQuiet }) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [at(`node_modules/${bin}`), ...args], {
    cwd: ROOT,
    stdio: ['ignore', isQuiet ? 'pipe' : 'inherit', isQuiet ? 'pipe' : 'inherit'],
  })
  if (status === 0) return
  if (isQuiet) process.stderr.write(Buffer.concat([stdout, stderr]))
  process.exit(status ?? 1)
}

function generateClient() {
  const packages = ['prisma', '@prisma/client'].map((name) => `node_modules/${name}/package.json`)
  const inputs = hashOf(['prisma/schema.prisma', 'prisma.config.ts', ...packages])
  const stamp = () => ({ inputs, outputs: hashOf(filesIn(CLIENT).filter((path) => !path.endsWith(STAMP))) })
  if (isSame(readStamp(CLIENT), stamp())) return
  rmSync(at(CLIENT), { recursive: true, force: true })
  run('prisma/build/index.js', ['generate'], { isQuiet: true })
  writeStamp(CLIENT, stamp())
}

/** Removes from a workspace the outputs of sources that are gone, and discards tsc's notes where they are not to be trusted. */
function prepare(folder) {
  const [src, dist] = [`${folder}/src`, `${folder}/dist`]
  const sources = filesIn(src).filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
  const outputs = sources.flatMap((path) => {
    const base = `${dist}${path.slice(src.length, -'.ts'.length)}`
    return [`${base}.js`, `${base}.js.map`, `${base}.d.ts`]
  })
  removeOthers(dist, new Set([...outputs, `${dist}/${STAMP}`, `${dist}/${BUILD_INFO}`]))
  const stamp = {
    settings: hashOf([
      ...['tsconfig.base.json', `${folder}/tsconfig.json`, `${folder}/package.json`],
      ...['package-lock.json', 'node_modules/typescript/package.json'],
    ]),
    sources: hashOf(sources),
  }
  const before = readStamp(dist)
  const isWhole = before.settings === stamp.settings && outputs.every((path) => existsSync(at(path)))
  const isFresh = isWhole && before.sources === stamp.sources
  const buildInfo = at(`${dist}/${BUILD_INFO}`)
  if (!isWhole) rmSync(buildInfo, { force: true })
  // Older than every source, so that tsc compares contents and not times.
  else if (!isFresh && existsSync(buildInfo)) utimesSync(buildInfo, 1, 1)
  return { dist, stamp, isFresh }
}

function removeOthers(folder, kept) {
  for (const path of filesIn(folder)) if (!kept.has(path)) rmSync(at(path))
  removeEmptyFolders(folder)
}

function removeEmptyFolders(folder) {
  if (!existsSync(at(folder))) return
  const folders = readdirSync(at(folder), { withFileTypes: true }).filter((entry) => entry.isDirectory())
  for (const { name } of folders) removeEmptyFolders(`${folder}/${name}`)
  if (readdirSync(at(folder)).length === 0) rmdirSync(at(folder))
}

generateClient()
const workspaces = json('tsconfig.json').references.map(({ path }) => prepare(path))
const stale = workspaces.filter(({ isFresh }) => !isFresh)
if (stale.length > 0) {
  for (const { dist } of stale) removeStamp(dist)
  run('typescript/bin/tsc', ['-b'], { isQuiet: false })
  for (const { dist, stamp } of stale) writeStamp(dist, stamp)
}
