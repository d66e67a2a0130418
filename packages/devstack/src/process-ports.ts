import { SETTINGS } from '@clerk-mirror/runtime'
import { StartFault } from './faults.js'
import { choosePort, isPortFree } from './services/ports.js'
import { type Environment, setting } from './start-plan.js'

export interface ProcessPorts {
  INGEST_PORT: number
  WORKER_PORT: number
  CONSOLE_PORT: number
  PROFILES_PORT: number
  METRICS_PORT: number
}

/** The configured ports, and for each other process the next free one from its default on. Throws StartFault. */
export async function chooseProcessPorts(env: Environment): Promise<ProcessPorts> {
  const taken = new Set<number>()
  const choose = async (names: readonly string[], from: string): Promise<number> => {
    const name = names.find((each) => setting(env, each) !== undefined)
    const port =
      name === undefined ? await nextFree(Number(from), taken) : await claimed(name, setting(env, name) ?? '')
    taken.add(port)
    return port
  }
  return {
    INGEST_PORT: await choose(['INGEST_PORT', 'PORT'], SETTINGS.INGEST_PORT.default),
    WORKER_PORT: await choose(['WORKER_PORT'], SETTINGS.WORKER_PORT.default),
    CONSOLE_PORT: await choose(['CONSOLE_PORT'], SETTINGS.CONSOLE_PORT.default),
    PROFILES_PORT: await choose(['PROFILES_PORT'], SETTINGS.PROFILES_PORT.default),
    METRICS_PORT: await choose(['METRICS_PORT'], SETTINGS.METRICS_PORT.default),
  }
}

/** Any free ports: for a stack that is gone in a minute. */
export async function anyProcessPorts(): Promise<ProcessPorts> {
  const ports = {
    INGEST_PORT: await choosePort(),
    WORKER_PORT: await choosePort(),
    CONSOLE_PORT: await choosePort(),
    PROFILES_PORT: await choosePort(),
    METRICS_PORT: await choosePort(),
  }
  return new Set(Object.values(ports)).size === Object.keys(ports).length ? ports : anyProcessPorts()
}

async function nextFree(from: number, taken: ReadonlySet<number>): Promise<number> {
  let port = from
  while (taken.has(port) || !(await isPortFree(port))) port += 1
  return port
}

async function claimed(name: string, raw: string): Promise<number> {
  const port = /^\d{1,5}$/.test(raw) ? Number(raw) : Number.NaN
  if (!(port <= 65_535)) throw new StartFault(`${name} must be a port, a whole number from 0 to 65535`)
  if (port === 0) return choosePort()
  if (!(await isPortFree(port))) {
    throw new StartFault(`port ${port} is taken: stop the process that listens there, or set ${name} to another one`)
  }
  return port
}
