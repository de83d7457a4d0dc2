import { MeshError, type Scheduler, systemScheduler, withDeadline } from '@resultity/interface'
import type { MeshHost } from '@resultity/mesh'
import type { RelayWork, Upstreams } from '@resultity/upstream'
import {
  type ByteStream,
  FIRST_FRAME_BYTES_MAX,
  FrameStream,
  JOB_FRAME_BYTES_MAX,
  JOB_PROTOCOL,
  type JobEvent,
  type JobRequest,
  jobEventCodec,
  ReceiveBudgets
} from '@resultity/wire'
import type { Logger } from 'pino'
import { drainingError } from './draining.ts'
import { isFor, JOB_ENDPOINTS } from './job-endpoints.ts'
import type { JobEndpoint } from './job-work.ts'
import type { StageTable } from './stage-table.ts'

export interface JobServerComponents {
  readonly host: MeshHost
  readonly stages: StageTable
  /** Passes requests on to servers beside this node. Default: it has none. */
  readonly relay?: Pick<Upstreams, 'take'> | undefined
  readonly logger: Logger
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
  /** Whether this peer assigned anything to this node. */
  readonly mayAsk: (peerId: string) => boolean
  /** Whether this peer assigned this placement: only its coordinator may run jobs on it. */
  readonly mayUse: (peerId: string, placementId: string) => boolean
}

export interface JobServerInit {
  /** Streams that one peer may have open here at a time. */
  readonly streamsPerPeerMax: number
  /** Time from a stream's opening to its request. */
  readonly requestTimeoutMs: number
}

interface RunningJob {
  /** Undefined: it is passed on to a server beside this node. */
  readonly placementId: string | undefined
  readonly abort: AbortController
}

type JobStream = FrameStream<JobEvent, JobRequest>

/** Memory for partly received requests: of a coordinator that assigned something here, and of any other peer. */
const OWNER_UNFINISHED_BYTES_MAX = 256 * 1024 * 1024
const STRANGER_UNFINISHED_BYTES_MAX = 1024 * 1024

/** How long a coordinator that hardly reads may take to read its answer. */
const LAST_FRAME_MS = 5000

/**
 * Serves `/resultity/job`: runs a whole job for the coordinator that assigned the model, and streams its events. A job
 * belongs to its stream: when the stream ends for any reason, the job is stopped and its place is free.
 */
export class JobServer {
  readonly #components: JobServerComponents
  readonly #init: JobServerInit
  readonly #scheduler: Scheduler
  readonly #running = new Set<RunningJob>()
  readonly #budgets = new ReceiveBudgets(peerId =>
    this.#components.mayAsk(peerId) ? OWNER_UNFINISHED_BYTES_MAX : STRANGER_UNFINISHED_BYTES_MAX
  )
  #closing = false
  #draining = false

  constructor(components: JobServerComponents, init: JobServerInit) {
    this.#components = components
    this.#init = init
    this.#scheduler = components.scheduler ?? systemScheduler
  }

  /** Jobs at work. */
  get jobsOpen(): number {
    return this.#running.size
  }

  /** Of these, jobs that are passed on. */
  get relayedOpen(): number {
    return [...this.#running].filter(job => job.placementId === undefined).length
  }

  async listen(): Promise<void> {
    const { host } = this.#components
    await host.handle(JOB_PROTOCOL, (stream, remotePeer) => this.#accept(stream, remotePeer), {
      inboundStreamsMax: this.#init.streamsPerPeerMax
    })
  }

  /** Refuses new jobs; those at work go on. */
  startDraining(): void {
    this.#draining = true
  }

  /** Ends every job that runs on `placementId`. */
  endPlacement(placementId: string, reason: string): void {
    this.#end(job => job.placementId === placementId, new MeshError('unavailable', reason))
  }

  async close(): Promise<void> {
    this.#closing = true
    await this.#components.host.unhandle(JOB_PROTOCOL)
    const hint = 'another node can serve the request'
    this.#end(() => true, new MeshError('unavailable', 'the node is shutting down', { hint }))
  }

  #end(which: (job: RunningJob) => boolean, reason: MeshError): void {
    for (const job of this.#running) if (which(job)) job.abort.abort(reason)
  }

  #accept(stream: ByteStream, remotePeer: string): void {
    const abort = new AbortController()
    const unasked = new MeshError('deadline_exceeded', `no request came within ${this.#init.requestTimeoutMs} ms`)
    const timer = this.#scheduler.setTimeout(() => frames.fail(unasked), this.#init.requestTimeoutMs)
    let asked = false
    const frames: JobStream = new FrameStream<JobEvent, JobRequest>(
      stream,
      jobEventCodec,
      {
        onFrame: request => {
          if (asked) throw new MeshError('protocol_violation', 'a job stream carries one request')
          asked = true
          this.#scheduler.clear(timer)
          // not returned: the stream must be read on, or its end would not be seen
          void this.#serve(frames, request, remotePeer, abort)
        },
        onEnd: error => {
          this.#scheduler.clear(timer)
          abort.abort(error ?? new MeshError('canceled', 'the coordinator ended the job'))
        }
      },
      {
        frameBytesMax: JOB_FRAME_BYTES_MAX,
        // who may ask nothing need not say much
        receivedBytesMax: this.#components.mayAsk(remotePeer) ? JOB_FRAME_BYTES_MAX : FIRST_FRAME_BYTES_MAX,
        budget: this.#budgets.of(remotePeer),
        scheduler: this.#scheduler
      }
    )
  }

  /** Never rejects: an error is the job's last event. */
  async #serve(frames: JobStream, request: JobRequest, remotePeer: string, abort: AbortController): Promise<void> {
    const { logger } = this.#components
    const { jobId: job, attempt, endpoint, model } = request
    const started = this.#scheduler.monotonic()
    const last = await this.#run(frames, request, remotePeer, abort).catch(
      (error: unknown): JobEvent => ({ type: 'error', sequence: 0, error: MeshError.from(error, 'engine_failed') })
    )
    const outcome = last.type === 'error' ? { err: last.error } : {}
    const ms = Math.round(this.#scheduler.monotonic() - started)
    logger.debug({ job, attempt, endpoint, model, ms, ...outcome }, `a job ended with ${last.type}`)
    try {
      const tell = async (signal: AbortSignal): Promise<void> => {
        await frames.send(last, { signal })
        await frames.close({ signal })
      }
      await withDeadline('the answer of a job', LAST_FRAME_MS, tell, { scheduler: this.#scheduler })
    } catch (error) {
      // the coordinator is gone or does not read: nobody waits for this
      frames.abort(MeshError.from(error))
    }
  }

  /** @returns the job's last event. @throws MeshError when it did not begin */
  async #run(frames: JobStream, request: JobRequest, remotePeer: string, abort: AbortController): Promise<JobEvent> {
    this.#requireTaking(remotePeer)
    // before anything is awaited: the bytes belong to the stream
    if (request.manifestSha256 === '') return await this.#relay(frames, request, abort)
    const { stages } = this.#components
    const work = endpointOf(request)(request.body)
    using slot = stages.takeJob(
      request.manifestSha256,
      id => this.#components.mayUse(remotePeer, id),
      ready => isFor(request.endpoint, ready)
    )
    const told = new ToldEvents(frames, abort.signal)
    return await this.#work(request, { placementId: slot.placementId, abort }, told, signal =>
      work(slot.ready, {
        signal,
        workClass: request.workClass ?? 'interactive',
        scheduler: this.#scheduler,
        tell: chunk => told.chunk(chunk)
      })
    )
  }

  /** A request for a model of a server beside this node. */
  async #relay(frames: JobStream, request: JobRequest, abort: AbortController): Promise<JobEvent> {
    using work = this.#takeRelay(request)
    const told = new ToldEvents(frames, abort.signal)
    return await this.#work(request, { placementId: undefined, abort }, told, signal =>
      work.run({ signal, onEvent: event => told.chunk(event) })
    )
  }

  #takeRelay(request: JobRequest): RelayWork {
    const work = this.#components.relay?.take(request)
    if (work !== undefined) return work
    throw new MeshError('not_implemented', 'this node passes no requests on', {
      hint: 'Its operator names servers beside it by --upstream.'
    })
  }

  async #work(
    { jobId, deadlineMs }: JobRequest,
    job: RunningJob,
    told: ToldEvents,
    work: (signal: AbortSignal) => Promise<Uint8Array>
  ): Promise<JobEvent> {
    this.#running.add(job)
    const { signal } = job.abort
    try {
      await told.started()
      const result = await withDeadline(`job ${jobId}`, deadlineMs, work, { signal, scheduler: this.#scheduler })
      return { type: 'result', sequence: told.next, result }
    } catch (error) {
      return { type: 'error', sequence: told.next, error: MeshError.from(error, 'engine_failed') }
    } finally {
      this.#running.delete(job)
    }
  }

  /** The one place that decides whether a peer's job may begin. */
  #requireTaking(remotePeer: string): void {
    if (this.#closing) throw new MeshError('unavailable', 'the node is shutting down')
    if (!this.#components.mayAsk(remotePeer)) {
      throw new MeshError('peer_refused', `${remotePeer} assigned nothing to this node`, {
        hint: 'only a coordinator that this node is a member of may run jobs on it'
      })
    }
    if (this.#draining) throw drainingError()
  }
}

/** What a job's coordinator is told before its last event, in order. */
class ToldEvents {
  readonly #frames: JobStream
  readonly #signal: AbortSignal
  #sequence = 0

  constructor(frames: JobStream, signal: AbortSignal) {
    this.#frames = frames
    this.#signal = signal
  }

  /** Number of the next event. */
  get next(): number {
    return this.#sequence
  }

  started(): Promise<void> {
    return this.#frames.send({ type: 'started', sequence: this.#sequence++ }, { signal: this.#signal })
  }

  /** Resolves when there is room for the next. */
  chunk(chunk: Uint8Array): Promise<void> {
    return this.#frames.send({ type: 'chunk', sequence: this.#sequence++, chunk }, { signal: this.#signal })
  }
}

function endpointOf({ endpoint }: JobRequest): JobEndpoint {
  const known = JOB_ENDPOINTS.get(endpoint)
  if (known !== undefined) return known
  throw new MeshError('not_implemented', `this node runs no jobs for ${endpoint.slice(0, 64)}`, {
    hint: `it runs jobs for ${[...JOB_ENDPOINTS.keys()].join(', ')}; upgrade it if it should run others`
  })
}
