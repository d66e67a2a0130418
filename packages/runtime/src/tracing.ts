import type { Log } from './logger.js'
import type { Span, Tracing } from './span.js'

const NO_SPAN: Span = { traceparent: undefined, end: () => {} }

export const NO_TRACING: Tracing = { start: () => NO_SPAN, [Symbol.asyncDispose]: async () => {} }

/** The destination of traces, by OpenTelemetry's variables. */
export interface TracesSettings {
  /** For all signals: `/v1/traces` is appended. */
  readonly endpoint: string | undefined
  /** For traces alone: used as it is, with precedence. */
  readonly tracesEndpoint: string | undefined
  readonly exporter: TracesExporter | undefined
  readonly isDisabled: boolean | undefined
}

export type TracesExporter = 'otlp' | 'none'

/** The address that traces are sent to; undefined for none. */
export function tracesUrlOf(settings: TracesSettings): string | undefined {
  const { endpoint, tracesEndpoint, exporter, isDisabled = false } = settings
  if (isDisabled || exporter === 'none') return undefined
  return tracesEndpoint ?? (endpoint && `${endpoint.replace(/\/+$/, '')}/v1/traces`)
}

/**
 * Sends traces to this address (OTLP over HTTP), in the background; without one, nothing. A slow or unreachable
 * receiver delays nothing: spans are kept in a bounded buffer and dropped beyond it, and the log reports it once per
 * outage.
 */
export async function openTracing(app: string, url: string | undefined, log: Log): Promise<Tracing> {
  if (url === undefined) return NO_TRACING
  // Imported lazily: the library takes time and memory from every process without traces.
  const { openOtlpTracing } = await import('./otlp-tracing.js')
  return openOtlpTracing(app, url, {
    lost: (err) => log.warn({ event: 'traces.lost', err }, 'traces cannot be sent: they are dropped until they can'),
    back: () => log.info({ event: 'traces.back' }),
  })
}
