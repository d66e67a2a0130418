import { environment, run } from '@clerk-mirror/runtime'
import { readProfilesConfig } from './config.js'
import { startProfiles } from './start.js'

await run('profiles', () => readProfilesConfig(environment()), startProfiles)
