// One of several processes that claim the same folders at the same moments: claiming-process.mjs START_MS FOLDER…
// Prints the indexes of the folders that it got.
import { claimFolder } from '../../../packages/devstack/dist/services/owner.js'

const EVERY_MS = 4
const [startMs, ...folders] = process.argv.slice(2)

const won = folders.flatMap((folder, index) => {
  // A timer would wake the rivals up milliseconds apart, and then they never meet.
  while (Date.now() < Number(startMs) + index * EVERY_MS);
  try {
    claimFolder(folder)
    return [index]
  } catch (error) {
    if (error.code !== 'stack_running') throw error
    return []
  }
})
console.log(JSON.stringify(won))
// Until it is killed: a rival that is slower would take over from one that has ended, and be right.
setInterval(() => {}, 60_000)
