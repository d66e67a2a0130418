import { run } from '@clerk-mirror/runtime'
import { readIngestConfig } from './config.js'
import { startIngest } from './start.js'

await run('ingest', () => readIngestConfig(process.env), startIngest)
