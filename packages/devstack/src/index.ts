export {
  type ClerkStandIn,
  type ClerkStandInOptions,
  openClerkStandIn,
  type StandInBehaviour,
  type StandInFaults,
  type StandInKind,
  type StandInObject,
  type StandInRequest,
  standInObject,
} from './clerk-stand-in/index.js'
export { type Difference, differences, type Found, type FoundObject } from './differences.js'
export { type FaultProxy, openFaultProxy } from './fault-proxy.js'
export { type ClerkUser, type Expected, type ExpectedObject, expectedTables, type Row } from './model.js'
export { type SendOptions, type SendReport, send } from './sender.js'
export {
  openServices,
  removeServices,
  type Services,
  type ServicesOptions,
  stackOwner,
} from './services/open-services.js'
export type { ServerControl } from './services/server-process.js'
export type { ServiceSource } from './services/service-sources.js'
export { StackError, type StackErrorCode } from './services/stack-error.js'
export { openTables, type Tables } from './tables.js'
export { type Delivery, type HistoryOptions, history, type Traffic } from './traffic.js'
export { type Progress, type RunOptions, type RunResult, runTraffic } from './traffic-run.js'
