export { releaseName } from './build.js'
export { clearTextTo, isLoopback, warnOfClearText } from './clear-text.js'
export { ConfigFaults, type Environment, type Fault, type Parser, type Read, readConfig } from './config.js'
export { type CloseReason, type ConnectionLimits, Connections } from './connections.js'
export { environment } from './environment.js'
export { type FailureLimit, FailuresByAddress, networkOf } from './failures-by-address.js'
export { type HealthOptions, type HealthServer, serveHealth } from './health.js'
export { HttpEdge, type HttpEdgeOptions, type HttpServerOptions } from './http-edge.js'
export {
  type ExitCode,
  type ProcessContext,
  type ProcessFailure,
  type ProcessOptions,
  runProcess,
  type Start,
} from './lifecycle.js'
export { type Log, type LogFields, type LogLevel, type LogOptions, openLog } from './logger.js'
export {
  type Counter,
  type Gauge,
  type Histogram,
  type HistogramDefinition,
  type Labels,
  type MetricDefinition,
  type Metrics,
  openMetrics,
} from './metrics.js'
export {
  flag,
  host,
  instanceId,
  isInstanceId,
  keepAlive,
  logLevel,
  oneOf,
  openTelemetryFlag,
  port,
  secret,
  shutdownDelay,
  tracesExporter,
  webAddress,
  wholeNumber,
} from './parsers.js'
export { type Address, listenError, PortInUse } from './port-in-use.js'
export { printable } from './printable.js'
export {
  isPrivateName,
  NO_PROXIES,
  type NoProxy,
  type ProxyAgentOptions,
  type ProxySettings,
  parseNoProxy,
  parseProxy,
  proxyAgentOptions,
  proxyFor,
  proxyStatusOf,
  withProxyNames,
} from './proxy.js'
export { type Check, type HealthAnswer, LIVEZ, type Readiness, readinessOf, readyz } from './readiness.js'
export { Releasers } from './releasers.js'
export { type BodyLimits, bodyHooks, closeBeforeLongBody, connectionHooks } from './request-body.js'
export { Secret } from './secret.js'
export { type AppName, type DefaultedName, SETTINGS, type Setting, type SettingName } from './settings.js'
export { singleFlight } from './single-flight.js'
export type { Span, SpanAttributes, SpanOptions, Tracing } from './span.js'
export { NO_TRACING, openTracing, tracesUrlOf } from './tracing.js'
export { trustedProxies } from './trusted-proxies.js'
