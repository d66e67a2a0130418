import { environment, runProcess } from '@clerk-mirror/runtime'
import { readWorkerConfig } from './config.js'
import { startWorker } from './start.js'

await runProcess('worker', () => readWorkerConfig(environment()), startWorker)
