export type SpanAttributes = Readonly<Record<string, string | number>>

export interface SpanOptions {
  readonly kind: 'server' | 'producer' | 'consumer'
  /** W3C traceparent of the span that led to this one; without it a new trace begins. */
  readonly parent?: string | undefined
  /** Ids, counts and codes; never payloads, addresses or names. */
  readonly attributes?: SpanAttributes
}

export interface Span {
  /** For whatever this span leads to; undefined where no traces are made. */
  readonly traceparent: string | undefined
  /** `error` is a code of docs/errors.md. */
  end(result?: { readonly error?: string | undefined; readonly attributes?: SpanAttributes }): void
}

/** Spans are handed on by hand: there is no current one, so nothing rides along unseen. */
export interface Tracing extends AsyncDisposable {
  start(name: string, options: SpanOptions): Span
}

const NO_SPAN: Span = { traceparent: undefined, end: () => {} }

export const NO_TRACING: Tracing = { start: () => NO_SPAN, [Symbol.asyncDispose]: async () => {} }

/**
 * Sends traces to `endpoint` (OTLP over HTTP; `/v1/traces` is appended), in the background; none without an endpoint. A
 * receiver that is slow or gone delays nothing: spans are kept in a bounded buffer and dropped beyond it.
 */
export async function openTracing(app: string, endpoint: string | undefined): Promise<Tracing> {
  if (endpoint === undefined) return NO_TRACING
  // Only now: the library takes time and memory from everybody who does not trace.
  const { openOtlpTracing } = await import('./otlp-tracing.js')
  return openOtlpTracing(app, endpoint)
}
