import { APT_LOCK_WITHIN_S } from './limits.js'
import { complaintIn, findProgram, run } from './programs.js'
import type { ServiceName } from './site.js'

// The bare programs: none of these packages has a system service that could be enabled or started. Ubuntu 22.04 and
// Debian 11 have MariaDB's version in the name.
const PACKAGES = {
  redis: /^redis-tools$/,
  database: /^mariadb-(server|client)-core(-[\d.]+)?$/,
} as const satisfies Record<ServiceName, RegExp>

/** Where it may, installs the distribution's packages of the services; false when it may not or could not. */
export async function installPackages(missing: readonly ServiceName[], say: (line: string) => void): Promise<boolean> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  // Where they are installed already, it was not for want of them that a service did not start.
  const { output: versions } = await run('dpkg-query', ['--show'])
  const installed = versions.replace(/\t.+$/gm, '')
  const absent = missing.filter((service) => packagesOf(service, installed).length === 0)
  const [aptGet, aptCache] = [await findProgram('apt-get'), await findProgram('apt-cache')]
  if (absent.length === 0 || aptGet === undefined || aptCache === undefined) return false

  say('reading the package lists of this system (apt-get update)')
  await run(aptGet, ['update', '--quiet']) // if it fails, the old lists may still suffice
  const { output: names } = await run(aptCache, ['pkgnames'])
  const packages = absent.flatMap((service) => packagesOf(service, names))
  if (packages.length === 0) return false

  say(`installing ${packages.join(', ')} (programs only: no system service is set up)`)
  const { exitCode, output } = await run('env', [
    'DEBIAN_FRONTEND=noninteractive',
    aptGet,
    'install',
    '--yes',
    '--quiet',
    '--no-install-recommends',
    '--no-remove', // an installed MySQL would have to give way to MariaDB
    '-o',
    `DPkg::Lock::Timeout=${APT_LOCK_WITHIN_S}`,
    ...packages,
  ])
  if (exitCode !== 0) say(`apt-get could not install them: ${complaintIn(output)}`)
  return exitCode === 0
}

function packagesOf(service: ServiceName, names: string): string[] {
  return names.split('\n').filter((name) => PACKAGES[service].test(name))
}
