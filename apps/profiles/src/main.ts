import { environment, runProcess } from '@clerk-mirror/runtime'
import { readProfilesConfig } from './config.js'
import { startProfiles } from './start.js'

await runProcess('profiles', () => readProfilesConfig(environment()), startProfiles)
