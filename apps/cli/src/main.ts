import { environment } from '@clerk-mirror/runtime'
import { runCommand } from './run-command.js'

/** The stack that `npm start` runs says here where it is. */
const STACK = '.data/stack.env'

process.exitCode = await runCommand(process.argv.slice(2), environment(['.env', STACK]))
