import { environment, runProcess } from '@clerk-mirror/runtime'
import { readConsoleConfig } from './config.js'
import { startConsole } from './start.js'

await runProcess('console', () => readConsoleConfig(environment()), startConsole)
