import { environment, run } from '@clerk-mirror/runtime'
import { readWorkerConfig } from './config.js'
import { startWorker } from './start.js'

await run('worker', () => readWorkerConfig(environment()), startWorker)
