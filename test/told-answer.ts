import type { LayerRange } from '@resultity/interface'
import { EventSourceParserStream } from 'eventsource-parser/stream'

/** What a client sends; default: a chat completion. */
export interface Asked {
  readonly path?: string
  readonly body: Readonly<Record<string, unknown>>
}

export interface Choice {
  readonly text: string
  readonly logprobs: readonly unknown[]
  readonly finish: string
}

/** What a client was told, without what is another each time. */
export interface Told {
  readonly choices: readonly Choice[]
  readonly mesh: {
    readonly route: readonly { readonly peerId: string; readonly range: LayerRange }[]
    readonly reroutes?: { readonly count: number; readonly exact: boolean }
  }
}

/** Asks, and takes in what is told until the end. */
export async function ask(
  url: string,
  { path = '/v1/chat/completions', body }: Asked,
  onPiece = () => {}
): Promise<Told> {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body)
  })
  if (!response.ok || response.body === null) throw new Error(await response.text())
  if (body.stream !== true) {
    const { choices, mesh } = await response.json()
    return { choices: choices.map((one: object) => read([one])), mesh }
  }
  const chunks: { choices: object[]; mesh?: Told['mesh'] }[] = []
  const events = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream())
  for await (const { data } of events) {
    if (data === '[DONE]') {
      const mesh = chunks.find(chunk => chunk.mesh !== undefined)?.mesh ?? { route: [] }
      return { choices: [read(chunks.flatMap(({ choices }) => choices))], mesh }
    }
    const chunk = JSON.parse(data)
    if (chunk.error !== undefined) throw new Error(data)
    chunks.push(chunk)
    if (read(chunk.choices).text !== '') onPiece()
  }
  throw new Error(`the stream broke off after ${chunks.length} chunks`)
}

/** A piece of a chat or a completion, or all of it. */
interface Piece {
  readonly text?: string
  readonly delta?: { readonly content?: string }
  readonly message?: { readonly content?: string }
  readonly logprobs?: { readonly content?: readonly unknown[]; readonly token_logprobs?: readonly unknown[] } | null
  readonly finish_reason?: string | null
}

function read(pieces: readonly Piece[]): Choice {
  return {
    text: pieces.map(({ text, delta, message }) => text ?? delta?.content ?? message?.content ?? '').join(''),
    logprobs: pieces.flatMap(({ logprobs }) => logprobs?.content ?? logprobs?.token_logprobs ?? []),
    finish: pieces.findLast(piece => piece.finish_reason)?.finish_reason ?? ''
  }
}
