import { createHash } from 'node:crypto'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ENGINE_ANSWERS_WITHIN_MS } from './limits.js'
import { complaintIn, type Finished, findProgram, run } from './programs.js'
import type { ServiceName, StackSite } from './site.js'
import { StackError } from './stack-error.js'

export const COMPOSE_FILE = fileURLToPath(new URL('../../docker-compose.yml', import.meta.url))

/** The services of that file. */
const SERVICES = { redis: 'redis', database: 'mysql' } as const satisfies Record<ServiceName, string>

/** `docker compose` for the containers of one data folder. */
export type Compose = (...args: readonly string[]) => Promise<Finished>

/** undefined where no engine answers. */
export async function findCompose(folder: string): Promise<Compose | undefined> {
  const docker = await findProgram('docker')
  if (docker === undefined) return undefined
  for (const question of [['info'], ['compose', 'version']]) {
    if ((await run(docker, question, { withinMs: ENGINE_ANSWERS_WITHIN_MS })).exitCode !== 0) return undefined
  }
  // Containers and volumes of another clone, or of a test beside this stack, have another name.
  const project = `clerk-mirror-dev-${createHash('sha256').update(folder).digest('hex').slice(0, 8)}`
  const common = ['compose', '--file', COMPOSE_FILE, '--project-name', project, '--env-file', environmentFile(folder)]
  return (...args) => run(docker, [...common, ...args])
}

/** Starts containers of these services and waits until they answer. Throws StackError `server_not_started`. */
export async function startContainers(compose: Compose, names: readonly ServiceName[], site: StackSite): Promise<void> {
  writeFileSync(environmentFile(site.folder), composeEnvironment(site), { mode: 0o600 })
  const services = names.map((name) => SERVICES[name])
  site.say(`starting ${services.join(' and ')} with Docker Compose (the first time it downloads their images)`)
  const { exitCode, output } = await compose('up', '--detach', '--wait', ...services)
  if (exitCode !== 0) throw new StackError('server_not_started', `Docker Compose: ${complaintIn(output)}`)
}

/** Removes this folder's containers and their data, if it ever had some. */
export async function removeContainers(folder: string): Promise<void> {
  if (!existsSync(environmentFile(folder))) return
  const compose = await findCompose(folder)
  await compose?.('down', '--volumes')
}

const environmentFile = (folder: string) => join(folder, 'compose.env')

/** Every variable of the file. */
export function composeEnvironment({ ports, password }: Pick<StackSite, 'ports' | 'password'>): string {
  const values = { REDIS_HOST_PORT: ports.redis, MYSQL_HOST_PORT: ports.database, STACK_PASSWORD: password }
  return Object.entries(values)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}
