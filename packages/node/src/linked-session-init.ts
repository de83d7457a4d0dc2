import type { StageSession } from '@resultity/engine'
import type { MeshError, Scheduler } from '@resultity/interface'
import type { OpenSession } from '@resultity/wire'
import type { SentLog } from './sent-log.ts'
import type { ShownPieces } from './shown-pieces.ts'
import type { StageStream } from './stage-stream.ts'

export interface LinkedSessionComponents {
  /** Stream to the coordinator; when it ends, the session ends. */
  readonly control: StageStream
  readonly stage: StageSession
  /** Where it keeps what it sends to the next stage. */
  readonly log: SentLog
  /** Milliseconds, monotonic. */
  readonly now: () => number
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
  /** Called once, when the session is over for whatever reason. */
  readonly onClosed: (cause: MeshError | undefined) => void
}

export interface LinkedSessionInit {
  readonly open: OpenSession
  readonly first: boolean
  readonly last: boolean
  readonly hiddenSize: number
  readonly vocabularySize: number
  /** On the first stage of a model that reads pictures. */
  readonly shown?: ShownPieces | undefined
}
