import { environment } from '@clerk-mirror/runtime'
import { runCommand } from './run-command.js'

/** The stack that `npm start` runs says here where it is. */
const STACK = '.data/stack.env'

// `list | head` closes the pipe when it has seen enough: that is no failure, and the rest is not read.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit()
  throw error
})

process.exitCode = await runCommand(process.argv.slice(2), environment(['.env', STACK]))
