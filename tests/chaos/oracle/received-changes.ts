import { once } from 'node:events'
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { choosePort } from '../../../packages/devstack/src/services/ports.js'
import { reckonReactions, type Told } from '../../support/reactions.js'
import type { Check } from '../check.js'
import { keptSecret, type Site } from '../stage/site.js'
import type { Totals } from '../totals.js'

/** The receiver of the change webhooks; it remembers them over interruptions of the run. */
export type Listener = AsyncDisposable & {
  /** Makes a worker tell. */
  env: Record<string, string>
  /** No change webhook is pending. */
  isAtRest: () => Promise<boolean>
  check: () => Promise<Check[]>
}

export async function openListener(folder: string, site: Site, totals: Totals): Promise<Listener> {
  const [path, port] = [join(folder, 'told.jsonl'), await keptPort(folder)]
  const told = readTold(path)
  const server = createServer(async (request, response) => {
    const { type, data } = JSON.parse(await text(request))
    const one: Told = {
      key: String(request.headers['webhook-id']),
      body: { type, data: { id: data.id, version: data.version } },
    }
    // Stored before the answer: an answered webhook never comes again.
    appendFileSync(path, `${JSON.stringify(one)}\n`)
    told.push(one)
    response.writeHead(204).end()
  })
  await listen(server, port)
  return {
    env: {
      CHANGE_WEBHOOK_URLS: `http://127.0.0.1:${port}/changes`,
      CHANGE_WEBHOOK_SECRETS: keptSecret(folder),
      CHANGE_WEBHOOK_ALLOW_PRIVATE: 'true',
    },
    async isAtRest() {
      const [row] = await site.query<{ left: bigint }>('SELECT COUNT(*) AS `left` FROM reaction_outbox')
      // Dead runs included: none may be.
      const runs = await site.redis.keys('{clerk-0}-*:clerk-reactions:x_*')
      return Number(row?.left) === 0 && runs.length === 0
    },
    async check() {
      const { missing, invented, twice, changes } = await reckonReactions(site.query, told)
      Object.assign(totals, { changes, toldTwice: twice })
      return [
        { name: 'every change was told', as: 'untold', found: missing },
        { name: 'nothing was told that did not happen', as: 'invented', found: invented },
        { name: 'there were changes to tell', found: changes === 0 ? ['none'] : [] },
      ]
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** The address is part of a run's name in the queue: it stays the same after an interruption. */
async function keptPort(folder: string): Promise<number> {
  const path = join(folder, 'listener-port')
  try {
    return Number(readFileSync(path, 'utf8'))
  } catch {
    const port = await choosePort()
    mkdirSync(folder, { recursive: true })
    writeFileSync(path, String(port))
    return port
  }
}

function readTold(path: string): Told[] {
  try {
    const lines = readFileSync(path, 'utf8').split('\n')
    // The last one may have been cut off: it was not answered.
    return lines.slice(0, -1).map((line) => JSON.parse(line))
  } catch {
    return []
  }
}

async function listen(server: Server, port: number): Promise<void> {
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
}
