import { minVersion, satisfies } from 'semver'
import { describe, expect, test } from 'vitest'
import { installed, type Locked, locked, nameOf } from './lock.js'
import { manifestOf } from './tree.js'

/** The builds of a package for this and other machines, by its path; only packages with native builds. */
const builds = installed.flatMap(([path, { optionalDependencies = {} }]) => {
  const offered = Object.keys(optionalDependencies).map((name) => ({ name, build: locked(path, name) }))
  return offered.some(({ build }) => build === undefined || build.os) ? [{ path, offered }] : []
})

const MACHINES = [
  { os: 'darwin', cpu: 'arm64' },
  { os: 'darwin', cpu: 'x64' },
  { os: 'linux', cpu: 'arm64' },
  { os: 'linux', cpu: 'x64' },
]

const fits = ({ os, cpu, libc = ['glibc'] }: Locked, machine: { os: string; cpu: string }) =>
  os?.includes(machine.os) && (cpu ?? [machine.cpu]).includes(machine.cpu) && libc.includes('glibc')

describe('package-lock.json', () => {
  // npm ci refuses a lock file that lacks one, although this machine would not install it.
  test.each(builds)('lists every build that $path offers', ({ offered }) => {
    expect(offered.filter(({ build }) => build === undefined).map(({ name }) => name)).toEqual([])
  })

  const forLinux = builds.filter(({ offered }) => offered.some(({ build }) => build?.os?.includes('linux')))
  test.each(forLinux)('has a build of $path for macOS and Linux on both kinds of processors', ({ offered }) => {
    const without = MACHINES.filter((machine) => !offered.some(({ build }) => build && fits(build, machine)))
    expect(without).toEqual([])
  })

  test('sends nobody to another registry than the public one', () => {
    const elsewhere = installed.filter(
      ([, { resolved }]) => resolved && !/^https:\/\/registry\.npmjs\.org\//.test(resolved),
    )
    expect(elsewhere.map(([path]) => path)).toEqual([])
  })

  // The oldest Node of each range that our own `engines` names, and the newest one that CI runs.
  const supported = (manifestOf('').engines?.['node'] ?? '').split('||').map((range) => String(minVersion(range)))
  test.each([...supported, '24.0.0'])('npm warns of no package on Node %s', (version) => {
    const refused = installed.filter(([, { engines = {}, optional }]) => {
      const range = Array.isArray(engines) ? undefined : engines.node
      // npm leaves out an optional package without a word.
      return !optional && range !== undefined && !satisfies(version, range)
    })
    expect(refused.map(([path, { version: its, engines }]) => [path, its, engines])).toEqual([])
  })

  test('every package with an install script is allowed or denied, so that npm 11 does not ask', () => {
    const { allowScripts } = manifestOf('')
    const scripted = installed.filter(([, { hasInstallScript }]) => hasInstallScript)
    const names = scripted.map(([path]) => nameOf(path))
    expect(names.filter((name) => !Object.hasOwn(allowScripts ?? {}, name))).toEqual([])
  })

  test('has a checksum of everything that is downloaded', () => {
    expect(installed.filter(([, { integrity }]) => !integrity).map(([path]) => path)).toEqual([])
  })
})
