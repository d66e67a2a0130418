import { environment, runProcess } from '@clerk-mirror/runtime'
import { readIngestConfig } from './config.js'
import { startIngest } from './start.js'

await runProcess('ingest', () => readIngestConfig(environment()), startIngest)
