import { type Context, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { within } from './deadline.js'
import { TRACES_FLUSH_MS } from './policy.js'
import type { SpanOptions, Tracing } from './tracing.js'

const KINDS: Readonly<Record<SpanOptions['kind'], SpanKind>> = {
  server: SpanKind.SERVER,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
}

/** OpenTelemetry's SDK, which reads sampler, headers, limits and the service's name from its own OTEL_ variables. */
export function openOtlpTracing(app: string, endpoint: string): Tracing {
  const url = `${endpoint.replace(/\/+$/, '')}/v1/traces`
  const provider = new BasicTracerProvider({
    // What the environment says comes last, and wins.
    resource: resourceFromAttributes({ 'service.name': `clerk-mirror-${app}` }).merge(
      detectResources({ detectors: [envDetector] }),
    ),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url }))],
  })
  const tracer = provider.getTracer('clerk-mirror')
  return {
    start(name, { kind, parent, attributes = {} }) {
      const span = tracer.startSpan(name, { kind: KINDS[kind], attributes }, contextOf(parent))
      const { traceId, spanId, traceFlags } = span.spanContext()
      return {
        traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`,
        end({ error, attributes: more = {} } = {}) {
          span.setAttributes(more)
          if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: error })
          span.end()
        },
      }
    },
    // A receiver that is gone would hold up the end of the process for as long as its time-outs are.
    [Symbol.asyncDispose]: () => within(TRACES_FLUSH_MS, provider.shutdown()).catch(() => {}),
  }
}

function contextOf(traceparent: string | undefined): Context {
  const [, traceId, spanId, flags] = /^\w\w-(\w{32})-(\w{16})-(\w\w)$/.exec(traceparent ?? '') ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return ROOT_CONTEXT
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true })
}
