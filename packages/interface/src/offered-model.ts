import { z } from 'zod'
import { EMBEDDINGS_ENDPOINT } from './embedding-job.ts'
import { shown } from './shown-text.ts'

export const CHAT_ENDPOINT = '/v1/chat/completions'
export const COMPLETIONS_ENDPOINT = '/v1/completions'

/** What a node passes on to a server of its operator. */
export const RELAYED_ENDPOINTS: readonly string[] = [CHAT_ENDPOINT, COMPLETIONS_ENDPOINT, EMBEDDINGS_ENDPOINT]

/** Models of one node. */
export const OFFERED_MODELS_MAX = 64

/** Of all that a node says of its offered models, as JSON: an advert has room for more beside it. */
export const OFFERED_MODELS_BYTES_MAX = 12 * 1024

/** A model of a server that a node's operator runs beside it: the mesh knows its name, and not what it is. */
export const offeredModelSchema = z.object({
  /** As the server calls it. */
  name: shown(256).min(1),
  /** Tokens of prompt and answer, where the server says so. */
  contextLength: z.int().min(1).max(16_777_216).optional(),
  /** What may be asked of it: of {@link RELAYED_ENDPOINTS}, or of a later version. */
  endpoints: z.array(shown(64)).min(1).max(8),
  /** Requests that the node passes on at once. */
  jobsMax: z.int().min(1).max(1024)
})
export type OfferedModel = z.infer<typeof offeredModelSchema>

/** One event of an answer that is passed on as it comes: UTF-8 JSON, a chunk of a job. */
export const RELAYED_EVENT_BYTES_MAX = 1024 * 1024

/** A whole answer that is passed on, with all of its events. */
export const RELAYED_ANSWER_BYTES_MAX = 16 * 1024 * 1024

/** More than an answer has tokens. */
export const RELAYED_EVENTS_MAX = 1_000_000
