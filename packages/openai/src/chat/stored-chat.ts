import { invalidRequest, MeshError } from '@resultity/interface'
import { jobBodyOf } from '@resultity/jobs'
import type { Job, JobStore } from '@resultity/store'
import { z } from 'zod'
import { CHAT_COMPLETIONS } from './chat-endpoint.ts'
import { chatCompletionSchema, chatRequestSchema } from './chat-schema.ts'
import { contentPartSchema } from './text-parts.ts'

// A chat completion that was asked for with `store: true` is a view of its job, and its id the job's under another name.

export const storedChatSchema = chatCompletionSchema
  .extend({ metadata: z.record(z.string(), z.string()) })
  .meta({ id: 'StoredChatCompletion' })
export type StoredChat = z.infer<typeof storedChatSchema>

/** A message of the conversation that was answered. */
export const storedMessageSchema = z
  .looseObject({
    id: z.string(),
    role: z.string(),
    content: z.string().nullable(),
    refusal: z.string().nullable(),
    /** Of a content that was a list of parts. */
    content_parts: z.array(contentPartSchema).nullable()
  })
  .meta({ id: 'StoredChatMessage' })
export type StoredMessage = z.infer<typeof storedMessageSchema>

const CHAT_ID = /^chatcmpl-([0-9a-f]{32})$/

/** The job of a stored chat completion; undefined for what can be no id of one. */
export function jobIdOfChat(id: string): string | undefined {
  const hex = CHAT_ID.exec(id)?.[1]
  return hex === undefined ? undefined : `req_${hex}`
}

/** @throws MeshError `not_found` also for what belongs to somebody else: its existence is nobody's business */
export async function findStoredChat(store: JobStore, namespace: string, id: string): Promise<Job> {
  const jobId = jobIdOfChat(id)
  const job = jobId === undefined ? undefined : await store.get(jobId)
  const own = job?.endpoint === CHAT_COMPLETIONS && job.namespace === namespace && job.hidden !== true
  if (job !== undefined && own && job.metadata !== undefined && job.state === 'succeeded') return job
  throw new MeshError('not_found', `there is no stored chat completion "${id.slice(0, 64)}"`, {
    hint: 'Those made with store: true are kept for a while; GET /v1/chat/completions lists them.',
    details: { param: 'id' }
  })
}

/** @throws ZodError when another version of this software stored it */
export function toStoredChat({ result, metadata = {} }: Job): StoredChat {
  return { ...chatCompletionSchema.parse(result?.body), metadata: { ...metadata } }
}

/** The messages that a stored chat completion answered, named after it and counted. */
export function storedMessages(job: Job): StoredMessage[] {
  const { messages } = chatRequestSchema.parse(jobBodyOf(job).request)
  const { id } = toStoredChat(job)
  return messages.map(({ content, refusal, ...message }, index) => ({
    ...message,
    id: `${id}-${index}`,
    content: typeof content === 'string' ? content : null,
    refusal: refusal ?? null,
    content_parts: Array.isArray(content) ? content : null
  }))
}

/**
 * The pairs of a query that a list is narrowed by: `metadata[name]=value`.
 * @throws MeshError `invalid_request` for a name that comes twice
 */
export function metadataOf(query: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  const pairs = Object.entries(query).flatMap(([key, value]): [string, string][] => {
    const name = /^metadata\[(.*)\]$/s.exec(key)?.[1]
    if (name === undefined) return []
    if (typeof value === 'string') return [[name, value]]
    throw invalidRequest(key.slice(0, 128), `${key.slice(0, 128)} is there twice`, 'Ask for one value.')
  })
  return Object.fromEntries(pairs)
}
