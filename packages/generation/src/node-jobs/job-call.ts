import {
  type AbortOptions,
  MeshError,
  type Scheduler,
  systemScheduler,
  type Timer,
  withDeadline
} from '@resultity/interface'
import {
  FrameStream,
  JOB_FRAME_BYTES_MAX,
  JOB_PROTOCOL,
  type JobEvent,
  type JobRequest,
  jobRequestCodec
} from '@resultity/wire'
import type { NodeAddress, StreamOpener } from '../stage-control.ts'

export interface JobCallComponents {
  readonly opener: StreamOpener
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
  /** @returns stops listening */
  onNodeLeft(listener: (peerId: string) => void): () => void
}

/** Events of an answer that a node tells as it comes. */
export interface JobChunks {
  readonly chunkBytesMax: number
  /** Of all together. */
  readonly bytesMax: number
  readonly countMax: number
  /** How long a node may say nothing while it is listened to. Default: as long as the job may take. */
  readonly silenceMs?: number
  /**
   * Takes one. While the promise is pending nothing more is read, and in time the node waits.
   * @throws what the job then fails with
   */
  take(chunk: Uint8Array): Promise<void> | undefined
}

export interface JobCallOptions extends AbortOptions {
  /** Default: the job has a result and no events. */
  readonly chunks?: JobChunks | undefined
}

export interface JobCallInit {
  /** Time from dialling the node to its `started` event. */
  readonly startMs: number
  /** Time after the job's own deadline, for the node's last event. */
  readonly graceMs: number
}

/**
 * Runs one job on one node. Leaving early breaks the job off there, because its stream ends.
 *
 * @returns the node's result, UTF-8 JSON
 * @throws MeshError `node_lost` when the node cannot be reached or goes before its result; `deadline_exceeded`;
 * `protocol_violation` for events out of order; the node's own error, naming the node, with `details.refused` where it did not
 * begin the job; the signal's reason
 */
export async function callJob(
  components: JobCallComponents,
  init: JobCallInit,
  node: NodeAddress,
  request: JobRequest,
  { chunks, ...options }: JobCallOptions = {}
): Promise<Uint8Array> {
  const { scheduler = systemScheduler } = components
  const timed = { ...options, scheduler }
  const call = new JobCall(node.peerId, scheduler, chunks)
  const stopListening = components.onNodeLeft(peerId => {
    if (peerId === node.peerId) call.fail(nodeLost(node.peerId, 'left the mesh'))
  })
  try {
    await withDeadline(
      `the start of a job on ${node.peerId}`,
      init.startMs,
      async signal => {
        await call.open(components.opener, node, request, signal)
        await call.started
      },
      timed
    )
    const waitMs = request.deadlineMs + init.graceMs
    return await withDeadline(`a job on ${node.peerId}`, waitMs, () => call.result, timed)
  } finally {
    stopListening()
    call.end()
  }
}

/** A job's stream to its node, and the events received on it. */
class JobCall {
  readonly #peerId: string
  readonly #scheduler: Scheduler
  readonly #started = Promise.withResolvers<void>()
  readonly #result = Promise.withResolvers<Uint8Array>()
  readonly #chunks: JobChunks | undefined
  #frames: FrameStream<JobRequest, JobEvent> | undefined
  #nextSequence = 0
  #chunkCount = 0
  #chunkBytes = 0
  #silence: Timer | undefined
  #over = false

  constructor(peerId: string, scheduler: Scheduler, chunks: JobChunks | undefined) {
    this.#peerId = peerId
    this.#scheduler = scheduler
    this.#chunks = chunks
    // a caller that waits for one of them gets the error; nobody waits for the other one then
    this.#started.promise.catch(heardElsewhere)
    this.#result.promise.catch(heardElsewhere)
  }

  get started(): Promise<void> {
    return this.#started.promise
  }

  get result(): Promise<Uint8Array> {
    return this.#result.promise
  }

  async open(opener: StreamOpener, node: NodeAddress, request: JobRequest, signal: AbortSignal): Promise<void> {
    const stream = await opener.open(node, JOB_PROTOCOL, { signal }).catch((error: unknown) => {
      signal.throwIfAborted()
      throw nodeLost(this.#peerId, 'could not be reached', error, { unreached: true })
    })
    const frames = new FrameStream<JobRequest, JobEvent>(
      stream,
      jobRequestCodec,
      {
        onFrame: event => this.#admit(event),
        onEnd: error => this.#onEnd(error)
      },
      { frameBytesMax: JOB_FRAME_BYTES_MAX, scheduler: this.#scheduler }
    )
    this.#frames = frames
    if (this.#over) {
      this.end()
      return
    }
    await frames.send(request, { signal }).catch((error: unknown) => {
      signal.throwIfAborted()
      // a body of some MB takes a while, in which a node may go
      const gone = MeshError.from(error).code === 'peer_unreachable'
      throw gone ? nodeLost(this.#peerId, 'was lost', error) : error
    })
  }

  fail(error: MeshError): void {
    this.#over = true
    this.#scheduler.clear(this.#silence)
    this.#started.reject(error)
    this.#result.reject(error)
  }

  /** Ends the stream. While the job runs it is cut, which stops the job. */
  end(): void {
    const done = this.#over
    this.#over = true
    this.#scheduler.clear(this.#silence)
    if (this.#frames === undefined || this.#frames.closed) return
    if (done) this.#frames.close().catch((error: unknown) => this.#frames?.abort(MeshError.from(error)))
    else this.#frames.abort(new MeshError('canceled', 'the job is not waited for any more'))
  }

  #admit(event: JobEvent): void | Promise<void> {
    if (this.#over) return
    if (event.sequence !== this.#nextSequence) {
      throw this.#violation(`event ${event.sequence} came, ${this.#nextSequence} is next`)
    }
    this.#nextSequence++
    const first = event.sequence === 0
    if (event.type === 'error') {
      this.fail(nodeError(this.#peerId, event.error, first ? { refused: true } : {}))
      return
    }
    if (event.type === 'chunk' && this.#chunks !== undefined && !first) return this.#take(event.chunk, this.#chunks)
    if (event.type === 'chunk' || first !== (event.type === 'started')) {
      throw this.#violation(`a job's event ${event.sequence} may not be "${event.type}"`)
    }
    if (event.type === 'started') {
      this.#started.resolve()
      this.#listen()
      return
    }
    this.#over = true
    // a copy: the frame's bytes belong to the stream
    this.#result.resolve(event.result.slice())
  }

  #take(chunk: Uint8Array, { chunkBytesMax, bytesMax, countMax, take }: JobChunks): Promise<void> | undefined {
    this.#chunkCount++
    this.#chunkBytes += chunk.length
    if (chunk.length > chunkBytesMax || this.#chunkBytes > bytesMax || this.#chunkCount > countMax) {
      throw this.#violation(`a job's answer is longer than ${bytesMax} bytes in ${countMax} events`)
    }
    this.#scheduler.clear(this.#silence)
    try {
      // a copy: the frame's bytes belong to the stream
      const taken = take(chunk.slice())
      if (taken === undefined) this.#listen()
      return taken?.then(
        () => this.#listen(),
        error => this.#refuse(error)
      )
    } catch (error) {
      this.#refuse(error)
      return undefined
    }
  }

  /** The node is to say something in time. While what it said is taken, it need not. */
  #listen(): void {
    const ms = this.#chunks?.silenceMs
    if (ms === undefined || this.#over) return
    this.#silence = this.#scheduler.setTimeout(() => {
      const silent = nodeLost(this.#peerId, `said nothing for ${ms} ms`)
      this.fail(silent)
      this.#frames?.abort(silent)
    }, ms)
  }

  /** What the node said is not taken: it need not go on. */
  #refuse(error: unknown): void {
    const known = MeshError.from(error)
    if (!this.#over) this.fail(known)
    this.#frames?.abort(known)
  }

  #onEnd(error: MeshError | undefined): void {
    if (this.#over) return
    const ownFault = error?.code === 'protocol_violation' || error?.code === 'frame_too_large'
    this.fail(ownFault ? nodeError(this.#peerId, error) : nodeLost(this.#peerId, 'was lost', error))
  }

  #violation(message: string): MeshError {
    return new MeshError('protocol_violation', message, {
      hint: 'The node is faulty or runs another release; compare the versions on both sides.'
    })
  }
}

function heardElsewhere(): void {}

function nodeLost(peerId: string, what: string, cause?: unknown, facts: { readonly unreached?: true } = {}): MeshError {
  const reason = cause instanceof Error ? `: ${cause.message}` : ''
  return new MeshError('node_lost', `node ${peerId} ${what} with a job${reason}`, {
    hint: 'Send the request again: it will run on another node if one has room.',
    details: { peerId, ...facts },
    cause
  })
}

/**
 * The error that a node reported. For the client, a node that is stopping or was told to forget the model is a lost
 * node. One that refused the job never had it.
 */
function nodeError(peerId: string, error: MeshError, facts: { readonly refused?: true } = {}): MeshError {
  return new MeshError(error.code === 'unavailable' ? 'node_lost' : error.code, `node ${peerId}: ${error.message}`, {
    hint: error.hint,
    details: { peerId, ...facts },
    cause: error
  })
}
