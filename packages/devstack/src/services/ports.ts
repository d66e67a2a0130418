import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { PORTS } from './limits.js'

const LOOPBACK = '127.0.0.1'

/** Whether a server could listen on this port of 127.0.0.1 now. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen({ port, host: LOOPBACK }, () => probe.close(() => resolve(true)))
  })
}

/** The remembered port while it is free, so that a restarted stack is found where it was; else any free one. */
export async function choosePort(remembered?: number): Promise<number> {
  if (remembered !== undefined && (await isPortFree(remembered))) return remembered
  for (;;) {
    const port = randomInt(PORTS.from, PORTS.to)
    if (await isPortFree(port)) return port
  }
}
