/** Bounds of what a node takes of the servers beside it. */
export interface UpstreamLimits {
  /** Between two looks at a server. */
  readonly lookEveryMs: number
  /** A server that has not listed its models by then did not answer. */
  readonly lookMs: number
  /**
   * Looks in a row after which a server counts as gone that did not answer in time, was busy or failed by itself (429, 5xx). One
   * that refuses the connection, or answers anything else than a list, is gone at once.
   */
  readonly missesMax: number
  /** Silence within an answer that is told as it comes, once it has begun. Its first bytes may take as long as the whole job. */
  readonly silenceMs: number
  /** Bytes of a list of models. */
  readonly listBytesMax: number
  /** Bytes of a whole answer, and of all events of one. */
  readonly answerBytesMax: number
  /** Bytes of one event, however many lines it has. */
  readonly eventBytesMax: number
}
