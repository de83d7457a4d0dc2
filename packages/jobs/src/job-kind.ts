import type { ErrorFormat } from '@resultity/api-kit'
import { type AbortOptions, MeshError } from '@resultity/interface'
import type { NodeLosses } from '@resultity/placement'
import type { Job, JobError, JobEvent, JobMetadata, JobResult, JobUsage, JsonValue } from '@resultity/store'
import type { JobProgress } from './attempt-progress.ts'

/** The log of an attempt at a job. */
export interface JobLog {
  /** False when nobody will read the log: then only the result counts. */
  readonly wanted: boolean
  /**
   * Adds an entry that a further attempt must reproduce. An entry that an earlier attempt logged is compared and not
   * added again. Await the result: there is a promise only when the log is far behind.
   *
   * @throws MeshError `replay_diverged` when an earlier attempt logged something else here
   */
  add(type: string, data: JsonValue): Promise<void> | undefined
  /** Adds an entry that may differ the next time (who answered, how fast); one that was logged before stays. */
  note(type: string, data: JsonValue): Promise<void> | undefined
  /** Resolves when all entries up to now are stored. @throws MeshError as the store does */
  flush(): Promise<void>
  /** Absent where a further attempt would be of no use: the answer ends with its client's connection. */
  readonly progress?: JobProgress | undefined
}

export interface JobContext {
  readonly job: Job
  /** Aborts when the job was cancelled, when its lease is lost, or when the coordinator stops. */
  readonly signal: AbortSignal
  readonly log: JobLog
  /** Counts nodes that are lost with the job, over all its attempts. */
  readonly losses: NodeLosses
}

export interface JobAnswer {
  readonly result: JobResult
  readonly usage: JobUsage | null
}

/**
 * A checked request: its stored form, the most it may use, and the data that its kind runs it with. Data alone.
 *
 * @typeParam Data input of {@link JobKind.run}; made from `request` again where only that is left
 */
export interface PreparedJob<Data = unknown> {
  /** Jobs of one lane compete for the same places. */
  readonly lane: string
  /** The stored request. It is complete, so that preparing it again gives the same job. */
  readonly request: JsonValue
  /** The client reads the answer as it comes. */
  readonly streamed: boolean
  /** Goes on when the client hangs up. */
  readonly outlivesClient: boolean
  /** The client gets an acknowledgement at once, and asks for its answer later. Default false. */
  readonly background?: boolean
  /** Tokens of the prompt, and the most that the answer may have. */
  readonly tokens: { readonly prompt: number; readonly answerMax: number }
  /** How many slots it may take at once. Default 1. */
  readonly places?: number
  /** Bytes of its result, where tokens do not bound them. */
  readonly resultBytes?: number
  /** Headers of whatever the client is answered first: what it should know of how its request was read. */
  readonly headers?: Readonly<Record<string, string>>
  /** The client does not want it kept once it has the answer. Default false. */
  readonly unstored?: boolean
  /** What the client files it under, to find it again. Default: it is not filed. */
  readonly metadata?: JobMetadata
  readonly data: Data
}

/**
 * How a job's log looks as the endpoint's own stream. It reads one log once, from its first entry on, and
 * makes the same payloads of the same log.
 */
export interface StreamView {
  /** Events are named after their payload's `type`. Default false. */
  readonly named?: boolean
  /** Payloads are lines of JSON, and no server-sent events. Default false. */
  readonly lines?: boolean
  /** Payloads are bytes of one file of this media type. Default: they are server-sent events. */
  readonly mediaType?: string
  /** Payloads before the first entry. */
  begin(): readonly unknown[]
  /** Payloads that an entry stands for. */
  render(event: JobEvent): readonly unknown[]
  /** Payloads after the last entry of a job that succeeded. */
  end(job: Job): readonly unknown[]
  /** Payloads after the last entry of a job that did not succeed. Default: the error as HTTP would carry it. */
  fail?(job: Job): readonly unknown[]
  /** Payload for a reader who is cut off before the end. Default: the error as HTTP would carry it. */
  interrupt?(error: JobError): unknown
  /** Of lines: one that says nothing, sent while there is nothing to say. Events have comments for that. */
  idle?(): unknown
}

export interface CompleteOptions extends AbortOptions {
  /** Where the client reached this server, such as `http://127.0.0.1:8420`. Absent: the request is a line of a file. */
  readonly origin?: string
}

/** The jobs of one path of the API: how its requests are checked, run and answered. */
export interface JobKind<Data = unknown> {
  readonly path: string
  /** Its jobs check the rights of their key themselves. Default false. */
  readonly watchesKey?: boolean
  /** How its errors are written. Default: OpenAI's form. */
  readonly errorFormat?: ErrorFormat
  /**
   * Puts stored things that a body refers to into it: {@link prepare} looks nothing up.
   * @throws MeshError `invalid_request`; the signal's reason
   */
  complete?(body: unknown, namespace: string, options?: CompleteOptions): Promise<unknown>
  /**
   * Checks a whole body: every fault is reported here and not later.
   * @throws MeshError `invalid_request`, `model_not_found`, `context_length_exceeded`
   */
  prepare(body: unknown): Promise<PreparedJob<Data>>
  /** @throws MeshError when nothing could serve it now, for callers who would not wait for that to change */
  check(data: Data): void
  /** One attempt. @throws MeshError, which says whether another one may help */
  run(data: Data, context: JobContext): Promise<JobAnswer>
  /** Undefined where it does not stream. */
  view?(job: Job): StreamView
  /** The answer that acknowledges a job in the background. */
  acknowledge?(job: Job): unknown
}

/** The first entry that an attempt notes once its answer is certain to begin; `headers` go before the answer. */
export const BEGUN = 'begun'
export interface Begun {
  readonly headers: Readonly<Record<string, string>>
}

/** The data of an entry of the type {@link BEGUN}. */
export function begunOf({ data }: JobEvent): Begun {
  return data as { headers: Record<string, string> }
}

/** All kinds of jobs, by path. A job is run by the kind that prepared it. */
export class JobKinds {
  readonly #kinds: ReadonlyMap<string, JobKind>

  constructor(kinds: readonly JobKind[]) {
    this.#kinds = new Map(kinds.map(kind => [kind.path, kind]))
  }

  paths(): string[] {
    return [...this.#kinds.keys()]
  }

  /** How the errors of the jobs of a path are written, where that is not OpenAI's form. */
  errorFormatOf(path: string): ErrorFormat | undefined {
    return this.#kinds.get(path)?.errorFormat
  }

  /** @throws MeshError `not_found` */
  get(path: string): JobKind {
    const kind = this.#kinds.get(path)
    if (kind !== undefined) return kind
    throw new MeshError('not_found', `${path} takes no jobs here`, { hint: `Use one of ${this.paths().join(', ')}.` })
  }
}
