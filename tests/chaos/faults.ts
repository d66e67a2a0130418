import { FAULTS_OF_APPLICATION } from './faults-of-application.js'
import { FAULTS_OF_LINKS } from './faults-of-links.js'
import { FAULTS_OF_PROCESSES } from './faults-of-processes.js'
import { FAULTS_OF_ROLES } from './faults-of-roles.js'
import { FAULTS_OF_SERVERS } from './faults-of-servers.js'
import type { Fault } from './scene.js'

/** Every kind of fault that a schedule is drawn from. */
export const ALL_FAULTS: readonly Fault[] = [
  ...FAULTS_OF_PROCESSES,
  ...FAULTS_OF_SERVERS,
  ...FAULTS_OF_ROLES,
  ...FAULTS_OF_LINKS,
  ...FAULTS_OF_APPLICATION,
]
