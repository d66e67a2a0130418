import type { Releasers } from '@clerk-mirror/runtime'
import type { Report } from './report.js'
import type { Stage } from './stage.js'

export type Run = {
  quick: boolean
  profiles: string | undefined
  /** Contestants of the road, or subjects of the reactions, to run alone; nothing is written then. */
  only: readonly string[]
  say: (line: string) => void
}

export type Section = (stage: Stage, owned: Releasers, run: Run) => Promise<Report>
