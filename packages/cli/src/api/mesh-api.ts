import { type AbortOptions, type ErrorCode, isErrorCode, MeshError, safeParse } from '@resultity/interface'
import { EventSourceParserStream } from 'eventsource-parser/stream'
import type { z } from 'zod'
import {
  type ApiCreatedInvite,
  type ApiCreatedKey,
  type ApiInvite,
  type ApiInvitedNode,
  type ApiKeyView,
  type ApiLink,
  type ApiModel,
  type ApiNode,
  type ApiPlacement,
  type ApiPlan,
  apiKeySchema,
  chunkSchema,
  createdInviteSchema,
  createdKeySchema,
  errorSchema,
  invitedNodesSchema,
  inviteSchema,
  invitesSchema,
  keysSchema,
  linksSchema,
  modelsSchema,
  type NewInvite,
  type NewKey,
  nodesSchema,
  placementsSchema,
  planSchema,
  removedNodeSchema
} from './answers.ts'

/**
 * The coordinator answers questions about the mesh's state from memory; a longer wait means that it does not answer.
 */
const STATE_TIMEOUT_MS = 10_000

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant'
  readonly content: string
}

export interface ChatRequest {
  readonly model: string
  readonly messages: readonly ChatMessage[]
  readonly temperature?: number
  readonly max_tokens?: number
}

export type ChatEvent =
  | { readonly type: 'text'; readonly text: string }
  | {
      readonly type: 'end'
      readonly finishReason: string
      readonly promptTokens: number
      readonly completionTokens: number
      /** `PEER[first,end) …`, as the coordinator states it. */
      readonly route: string
    }

/** A client of the coordinator's HTTP API. */
export class MeshApi {
  readonly url: string
  readonly #headers: Readonly<Record<string, string>>

  /** @param apiKey where the coordinator asks for one */
  constructor(url: string, apiKey?: string) {
    this.url = url.replace(/\/+$/, '')
    this.#headers = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }
  }

  async models(options?: AbortOptions): Promise<ApiModel[]> {
    return (await this.#get('/v1/models', modelsSchema, options)).data
  }

  async nodes(options?: AbortOptions): Promise<ApiNode[]> {
    return (await this.#get('/v1/mesh/nodes', nodesSchema, options)).data
  }

  async placements(options?: AbortOptions): Promise<ApiPlacement[]> {
    return (await this.#get('/v1/mesh/placements', placementsSchema, options)).data
  }

  /** Pairs of nodes between which nothing passes. */
  async links(options?: AbortOptions): Promise<ApiLink[]> {
    try {
      return (await this.#get('/v1/mesh/links', linksSchema, options)).data
    } catch (error) {
      // a coordinator of an earlier version has no such route
      if (MeshError.from(error).code === 'not_found') return []
      throw error
    }
  }

  /** The planner's plan for `model` with the present nodes. */
  async plan(model: string, stages: number | 'auto', options?: AbortOptions): Promise<ApiPlan> {
    const query = new URLSearchParams({ model, stages: String(stages) })
    return this.#get(`/v1/mesh/plan?${query}`, planSchema, options)
  }

  /** Makes an API key; the answer has the key itself. */
  async createKey(key: NewKey, options?: AbortOptions): Promise<ApiCreatedKey> {
    return this.#post('/v1/admin/keys', key, createdKeySchema, options)
  }

  /** All keys, newest first. */
  async keys(options?: AbortOptions): Promise<ApiKeyView[]> {
    const keys: ApiKeyView[] = []
    for (let after = ''; ; ) {
      const query = new URLSearchParams({ limit: '1000', ...(after === '' ? {} : { after }) })
      const page = await this.#get(`/v1/admin/keys?${query}`, keysSchema, options)
      keys.push(...page.data)
      after = page.data.at(-1)?.id ?? ''
      if (!page.has_more || after === '') return keys
    }
  }

  async revokeKey(id: string, options?: AbortOptions): Promise<ApiKeyView> {
    return this.#post(`/v1/admin/keys/${encodeURIComponent(id)}/revoke`, {}, apiKeySchema, options)
  }

  /** Gives a key a new secret. */
  async rotateKey(id: string, graceSeconds: number, options?: AbortOptions): Promise<ApiCreatedKey> {
    const input = { grace_seconds: graceSeconds }
    return this.#post(`/v1/admin/keys/${encodeURIComponent(id)}/rotate`, input, createdKeySchema, options)
  }

  /** Makes an invite; the answer has its token. */
  async createInvite(invite: NewInvite, options?: AbortOptions): Promise<ApiCreatedInvite> {
    return this.#post('/v1/admin/invites', invite, createdInviteSchema, options)
  }

  async invites(options?: AbortOptions): Promise<ApiInvite[]> {
    return (await this.#get('/v1/admin/invites', invitesSchema, options)).data
  }

  async revokeInvite(id: string, options?: AbortOptions): Promise<ApiInvite> {
    return this.#post(`/v1/admin/invites/${encodeURIComponent(id)}/revoke`, {}, inviteSchema, options)
  }

  /** Nodes that joined by an invite. */
  async invitedNodes(options?: AbortOptions): Promise<ApiInvitedNode[]> {
    return (await this.#get('/v1/admin/invited-nodes', invitedNodesSchema, options)).data
  }

  async removeInvitedNode(peerId: string, { signal }: AbortOptions = {}): Promise<{ readonly peer_id: string }> {
    const path = `/v1/admin/invited-nodes/${encodeURIComponent(peerId)}`
    return this.#ask(path, { method: 'DELETE' }, removedNodeSchema, signal)
  }

  /**
   * Streams one answer. Leaving the loop cancels the generation.
   *
   * @throws MeshError with the code that the coordinator gave, before the first event or between two
   */
  async *chat(request: ChatRequest, options: AbortOptions = {}): AsyncGenerator<ChatEvent> {
    const controller = new AbortController()
    const signal = options.signal ? AbortSignal.any([controller.signal, options.signal]) : controller.signal
    try {
      const body = JSON.stringify({ ...request, stream: true, stream_options: { include_usage: true } })
      const response = await this.#fetch('/v1/chat/completions', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
        signal
      })
      yield* readEvents(response)
    } finally {
      controller.abort()
    }
  }

  async #get<T extends z.ZodType>(path: string, schema: T, { signal }: AbortOptions = {}): Promise<z.infer<T>> {
    return this.#ask(path, {}, schema, signal)
  }

  /** Sends `input` as JSON. */
  async #post<T extends z.ZodType>(path: string, input: unknown, schema: T, { signal }: AbortOptions = {}) {
    const headers = { 'content-type': 'application/json' }
    return this.#ask(path, { method: 'POST', headers, body: JSON.stringify(input) }, schema, signal)
  }

  async #ask<T extends z.ZodType>(
    path: string,
    init: { method?: string; headers?: Record<string, string>; body?: string },
    schema: T,
    signal?: AbortSignal
  ): Promise<z.infer<T>> {
    const timeout = AbortSignal.timeout(STATE_TIMEOUT_MS)
    const response = await this.#fetch(path, {
      ...init,
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout
    })
    const body = safeParse(schema, parseJson(await response.text()))
    if (body.success) return body.data
    throw new MeshError('protocol_violation', `${this.url}${path} answers in a form that this version does not know`, {
      hint: 'Check that --url is a Resultity coordinator of this version.',
      cause: body.error
    })
  }

  async #fetch(
    path: string,
    { headers, ...init }: RequestInit & { headers?: Record<string, string> }
  ): Promise<Response> {
    let response: Response
    try {
      response = await fetch(`${this.url}${path}`, { ...init, headers: { ...this.#headers, ...headers } })
    } catch (error) {
      if (
        init.signal?.aborted &&
        !(init.signal.reason instanceof DOMException && init.signal.reason.name === 'TimeoutError')
      ) {
        throw error
      }
      throw new MeshError('unavailable', `no answer from ${this.url}`, {
        hint: 'Start a mesh with "resultity up", or name another address with --url URL.',
        cause: error
      })
    }
    if (response.ok) return response
    throw toMeshError(await response.text(), response.status)
  }
}

async function* readEvents(response: Response): AsyncGenerator<ChatEvent> {
  if (response.body === null) throw new MeshError('protocol_violation', 'the answer has no body')
  const events = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream())
  let finishReason: string | undefined
  let usage = { prompt_tokens: 0, completion_tokens: 0 }
  for await (const { data } of events) {
    if (data === '[DONE]') break
    const chunk = safeParse(chunkSchema, JSON.parse(data))
    if (!chunk.success) throw toMeshError(data, response.status)
    if (chunk.data.usage) usage = chunk.data.usage
    for (const choice of chunk.data.choices) {
      if (choice.delta.content) yield { type: 'text', text: choice.delta.content }
      finishReason = choice.finish_reason ?? finishReason
    }
  }
  if (finishReason === undefined) {
    throw new MeshError('unavailable', 'the answer ended before it was complete', { hint: 'Ask again.' })
  }
  const route = response.headers.get('x-resultity-route') ?? ''
  yield {
    type: 'end',
    finishReason,
    promptTokens: usage.prompt_tokens,
    completionTokens: usage.completion_tokens,
    route
  }
}

function knownCode(code: string | null | undefined): ErrorCode {
  return code && isErrorCode(code) ? code : 'unavailable'
}

/** A text that is not JSON fits no schema either; the schema's error is the one that is reported. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function toMeshError(body: string, status: number): MeshError {
  try {
    const { message, code } = errorSchema.parse(JSON.parse(body)).error
    return new MeshError(code === 'invalid_api_key' ? 'unauthenticated' : knownCode(code), message)
  } catch (cause) {
    return new MeshError('protocol_violation', `an answer with status ${status} that is not from a coordinator`, {
      hint: 'Check the address given with --url.',
      cause
    })
  }
}
