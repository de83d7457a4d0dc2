interface Count<L extends string> {
  inc(labels: Readonly<Record<L, string>>, by?: number): void
}

interface Distribution<L extends string> {
  observe(labels: Readonly<Record<L, string>>, value: number): void
}

/** What is measured of answers: counters and histograms of `prom-client`, for one. */
export interface AnswerMetrics {
  /** HTTP requests answered. */
  readonly requests: Count<'route' | 'method' | 'status'>
  /** Answers that ended: stop, length, or the code of the error. */
  readonly generations: Count<'model' | 'outcome'>
  /** Routes that were lost from under answers that went on and ended. */
  readonly reroutes: Count<'model' | 'exact'>
  readonly promptTokens: Count<'model'>
  /** Those of them that stages had kept, and did not compute. */
  readonly cachedTokens: Count<'model'>
  readonly completionTokens: Count<'model'>
  /** From the request to its first token. */
  readonly firstTokenSeconds: Distribution<'model'>
  /** From one token to the next. */
  readonly tokenSeconds: Distribution<'model'>
}
