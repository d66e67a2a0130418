export type { StandInFaults } from './faults.js'
export { type StandInKind, type StandInObject, standInObject } from './kinds.js'
export type { StandInBehaviour } from './routes.js'
export { type ClerkStandIn, type ClerkStandInOptions, openClerkStandIn, type StandInRequest } from './stand-in.js'
