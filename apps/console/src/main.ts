import { environment, run } from '@clerk-mirror/runtime'
import { readConsoleConfig } from './config.js'
import { startConsole } from './start.js'

await run('console', () => readConsoleConfig(environment()), startConsole)
