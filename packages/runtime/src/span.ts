export type SpanAttributes = Readonly<Record<string, string | number>>

export interface SpanOptions {
  readonly kind: 'server' | 'producer' | 'consumer'
  /** W3C traceparent of the span that led to this one; without it a new trace begins. */
  readonly parent?: string | undefined
  /** Ids, counts and codes; never payloads, addresses or names. */
  readonly attributes?: SpanAttributes
}

export interface Span {
  /** For the spans that this one leads to; undefined where no traces are made. */
  readonly traceparent: string | undefined
  /** `error` is a code of docs/errors.md. */
  end(result?: { readonly error?: string | undefined; readonly attributes?: SpanAttributes }): void
}

/** Spans are handed on by hand: there is no current one, so nothing rides along unseen. */
export interface Tracing extends AsyncDisposable {
  start(name: string, options: SpanOptions): Span
}
