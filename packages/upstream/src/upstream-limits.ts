/** Bounds of what a node takes of the servers beside it. */
export interface UpstreamLimits {
  /** Between two looks at a server. */
  readonly lookEveryMs: number
  /** A server that has not listed its models by then did not answer. */
  readonly lookMs: number
  /** Looks in a row without an answer after which a server counts as gone. One that refuses the connection is gone at once. */
  readonly missesMax: number
  /** Silence within an answer that is told as it comes. Its first event may take as long as the whole job. */
  readonly silenceMs: number
  /** Bytes of a list of models. */
  readonly listBytesMax: number
  /** Bytes of a whole answer, and of all events of one. */
  readonly answerBytesMax: number
  /** Bytes of one event, however many lines it has. */
  readonly eventBytesMax: number
}
