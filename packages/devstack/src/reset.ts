import { existsSync, rmSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { reportFault, StartFault } from './faults.js'
import { removeServices } from './services/open-services.js'
import { ownerOf } from './services/owner.js'
import { DATA_DIR } from './stack-folder.js'

/** Its stop takes a second or two when nothing is being drained. */
const LOOK_EVERY_MS = 100
/** Longer than the worker may drain and the database may take to stop. */
const STOPPED_WITHIN_MS = 90_000

const say = (line: string) => void process.stdout.write(`${line}\n`)

async function reset(): Promise<void> {
  if (!existsSync(DATA_DIR)) {
    say('nothing to remove: there is no ./.data')
    return
  }
  await stopStack()
  await removeServices(DATA_DIR, say)
  rmSync(DATA_DIR, { recursive: true, force: true })
  say('removed ./.data: the next npm start starts over')
}

async function stopStack(): Promise<void> {
  const owner = ownerOf(DATA_DIR)
  if (owner === undefined) return
  say(`stopping the stack that runs from ./.data (process ${owner.pid}) …`)
  process.kill(owner.pid, 'SIGTERM')
  const deadlineMs = performance.now() + STOPPED_WITHIN_MS
  while (ownerOf(DATA_DIR) !== undefined) {
    if (performance.now() > deadlineMs) throw new StartFault(`process ${owner.pid} does not stop; nothing was removed`)
    await pause(LOOK_EVERY_MS)
  }
}

await reset().catch((error: unknown) => {
  process.exitCode = reportFault(error)
})
