import type { Fault } from '../stage/scene.js'
import { FAULTS_OF_APPLICATION } from './application.js'
import { FAULTS_OF_LINKS } from './links.js'
import { FAULTS_OF_PROCESSES } from './processes.js'
import { FAULTS_OF_ROLES } from './roles.js'
import { FAULTS_OF_SERVERS } from './servers.js'

/** Every kind of fault that a schedule is drawn from. */
export const ALL_FAULTS: readonly Fault[] = [
  ...FAULTS_OF_PROCESSES,
  ...FAULTS_OF_SERVERS,
  ...FAULTS_OF_ROLES,
  ...FAULTS_OF_LINKS,
  ...FAULTS_OF_APPLICATION,
]
