import { type Context, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { BasicTracerProvider, BatchSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-base'
import { withDeadline } from './deadline.js'
import { TRACES_FLUSH_MS } from './limits.js'
import type { SpanOptions, Tracing } from './span.js'

const KINDS: Readonly<Record<SpanOptions['kind'], SpanKind>> = {
  server: SpanKind.SERVER,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
}

/** OpenTelemetry's SDK, which reads sampler, headers, limits and the service's name from its own OTEL_ variables. */
export function openOtlpTracing(app: string, url: string, observer: OutageObserver): Tracing {
  const outage = outageOf(observer)
  const provider = new BasicTracerProvider({
    // The environment comes last, and wins.
    resource: resourceFromAttributes({ 'service.name': `clerk-mirror-${app}` }).merge(
      detectResources({ detectors: [envDetector] }),
    ),
    spanProcessors: [new BatchSpanProcessor(observed(new OTLPTraceExporter({ url }), outage))],
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
    // Without the deadline, an unreachable receiver would delay the end of the process by its time-outs.
    [Symbol.asyncDispose]: () => withDeadline(TRACES_FLUSH_MS, provider.shutdown()).catch(outage.failed),
  }
}

/** Called once per outage, and once when it is over. */
export interface OutageObserver {
  readonly lost: (error: Error) => void
  readonly back: () => void
}

function outageOf({ lost, back }: OutageObserver) {
  let isLost = false
  return {
    failed(error: Error) {
      if (!isLost) lost(error)
      isLost = true
    },
    succeeded() {
      if (isLost) back()
      isLost = false
    },
  }
}

/** The library logs to a channel that is off, so that lost traces would go unnoticed without this. */
function observed(exporter: SpanExporter, { failed, succeeded }: ReturnType<typeof outageOf>): SpanExporter {
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        if (result.code === SUCCESS) succeeded()
        else failed(result.error ?? new Error('the receiver of traces refused them'))
        done(result)
      })
    },
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown(),
  }
}

/** `ExportResultCode.SUCCESS` of OpenTelemetry. */
const SUCCESS = 0

function contextOf(traceparent: string | undefined): Context {
  const [, traceId, spanId, flags] = /^\w\w-(\w{32})-(\w{16})-(\w\w)$/.exec(traceparent ?? '') ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return ROOT_CONTEXT
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true })
}
