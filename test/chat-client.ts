import { EventSourceParserStream } from 'eventsource-parser/stream'

/** A chat completion as far as the tests look at it. */
export interface ChatAnswer {
  readonly id: string
  readonly choices: readonly {
    readonly message: { readonly content: string }
    readonly finish_reason: string
    /** Where they were asked for. */
    readonly logprobs: { readonly content: readonly unknown[] } | null
  }[]
  readonly usage: { readonly prompt_tokens: number; readonly completion_tokens: number }
}

export interface ChatBody {
  readonly model: string
  readonly messages: readonly { readonly role: string; readonly content: string }[]
  readonly [field: string]: unknown
}

/** The four keys of every error body. */
export interface ApiErrorBody {
  readonly message: string
  readonly type: string
  readonly param: string | null
  readonly code: string | null
}

/** One request as any client would send it; `status` and `headers` are left for the caller to judge. */
export async function postChat(url: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(signal === undefined ? {} : { signal })
  })
}

/** A greedy answer and the route it came by; throws with the body when the status is not 200. */
export async function ask(url: string, body: ChatBody): Promise<{ answer: ChatAnswer; route: string }> {
  const response = await postChat(url, { temperature: 0, ...body })
  const text = await response.text()
  if (response.status !== 200) throw new Error(`status ${response.status}: ${text}`)
  return { answer: JSON.parse(text), route: response.headers.get('x-resultity-route') ?? '' }
}

export interface StreamedAnswer {
  readonly text: string
  readonly route: string
  readonly finishReason: string | undefined
  /** Of an error event, when one came. */
  readonly error: ApiErrorBody | undefined
  /** The stream closed with `[DONE]`. */
  readonly done: boolean
}

/** Follows a streamed answer to its end; `onText` sees every piece as it comes. */
export async function askStreaming(
  url: string,
  body: ChatBody,
  onText: (piece: string) => void = () => {},
  signal?: AbortSignal
): Promise<StreamedAnswer> {
  const response = await postChat(url, { temperature: 0, ...body, stream: true }, signal)
  if (response.status !== 200 || response.body === null) {
    throw new Error(`status ${response.status}: ${await response.text()}`)
  }
  const route = response.headers.get('x-resultity-route') ?? ''
  let text = ''
  let finishReason: string | undefined
  const events = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream())
  for await (const { data } of events) {
    if (data === '[DONE]') return { text, route, finishReason, error: undefined, done: true }
    const chunk = JSON.parse(data)
    if (chunk.error !== undefined) return { text, route, finishReason, error: chunk.error, done: false }
    const piece: string = chunk.choices[0]?.delta.content ?? ''
    if (piece !== '') onText(piece)
    text += piece
    finishReason = chunk.choices[0]?.finish_reason ?? finishReason
  }
  return { text, route, finishReason, error: undefined, done: false }
}

/** The `[first,end)` ranges named by an `x-resultity-route` header. */
export function routeRanges(route: string): [number, number][] {
  return [...route.matchAll(/\[(\d+),(\d+)\)/g)].map(match => [Number(match[1]), Number(match[2])])
}
