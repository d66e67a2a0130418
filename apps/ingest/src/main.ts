import { environment, run } from '@clerk-mirror/runtime'
import { readIngestConfig } from './config.js'
import { startIngest } from './start.js'

await run('ingest', () => readIngestConfig(environment()), startIngest)
