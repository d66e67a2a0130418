export type SpanAttributes = Readonly<Record<string, string | number>>

export interface SpanOptions {
  readonly kind: 'server' | 'producer' | 'consumer'
  /** W3C traceparent of the span that led to this one; without it a new trace begins. */
  readonly parent?: string | undefined
  /** Ids, counts and codes; never payloads, addresses or names. */
  readonly attributes?: SpanAttributes
}

export interface Span {
  /** The parent for spans in later processes; undefined without tracing. */
  readonly traceparent: string | undefined
  /** `error` is a code of docs/errors.md. */
  end(result?: { readonly error?: string | undefined; readonly attributes?: SpanAttributes }): void
}

/** Parents are passed explicitly: there is no current span, so no call is traced unseen. */
export interface Tracing extends AsyncDisposable {
  start(name: string, options: SpanOptions): Span
}
