import type { StreamView } from '@resultity/jobs'
import type { Steering } from '@resultity/placement'
import type { Job, JobUsage, JsonValue } from '@resultity/store'
import type { z } from 'zod'

/** A request that is passed on, as its endpoint's own schema has read it. */
export interface RelayableRequest {
  readonly stream?: boolean | null | undefined
  readonly store?: boolean | null | undefined
  readonly mesh?: (Steering & { readonly on_disconnect?: string | null | undefined }) | null | undefined
}

/** A whole answer, as the client gets it. */
export interface RelayedAnswer {
  readonly body: JsonValue
  readonly usage: JobUsage
}

/** Where an answer goes to, and who made it. */
export interface AnswerFacts {
  readonly job: Job
  readonly model: string
  readonly peerId: string
  /** Counts where the server does not. */
  readonly promptTokens: number
}

/** Gathers the events of one answer. */
export interface AnswerGatherer {
  /**
   * What the job's log says of an event: pieces of choices, in order.
   * @throws MeshError `protocol_violation` for one that is none of this endpoint's answers
   */
  take(event: unknown): readonly JsonValue[]
  /** The whole answer. @throws MeshError `protocol_violation` where nothing was said */
  whole(facts: AnswerFacts): RelayedAnswer
}

/** How one endpoint's requests and answers are passed on. */
export interface RelayDialect<Request extends RelayableRequest> {
  readonly endpoint: string
  /** The whole answer, for the API's description; undefined where it looks like the mesh's own. */
  readonly answerSchema: z.ZodType | undefined
  /** An event of a streamed answer; undefined where there are none. */
  readonly eventSchema: z.ZodType | undefined
  /** The endpoint's door: what it refuses of a model of the mesh, it refuses here. @throws MeshError `invalid_request` */
  parse(body: unknown): Request
  /** What the server is sent, but for the model: fields that the mesh knows and that are no business of its own. */
  passedOn(request: Request): Readonly<Record<string, JsonValue>>
  /** The most that it may take, estimated: nobody here has the model's tokenizer. */
  tokens(request: Request, contextLength: number | undefined): { readonly prompt: number; readonly answerMax: number }
  /** The answer that came whole. @throws MeshError `protocol_violation` */
  whole(answer: unknown, request: Request, facts: AnswerFacts): RelayedAnswer
  gather?(): AnswerGatherer
  view?(job: Job, request: Request, model: string): StreamView
}

/** An answer that tells who had it made. */
export type RelayReport = { readonly upstream: { readonly peerId: string } }
