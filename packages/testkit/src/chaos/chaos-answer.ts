import { MeshError } from '@resultity/interface'
import { EventSourceParserStream } from 'eventsource-parser/stream'
import type { Form } from './chaos-plan.ts'

/** Nobody waits longer for an answer, whatever happens to it. */
export const PATIENCE_MS = 180_000

const QUESTION = 'Tell me a long story about a lighthouse keeper, his boat and the sea. '
/** Positions enough for several steps of a prompt, and room for the answer in the context of tiny-chat. */
const REPEATED = 8

export interface Question {
  readonly model: string
  readonly form: Form
  readonly tokens: number
}

/** One answer as its client saw it. */
export interface SeenAnswer {
  /** All that has to be the same each time: of each choice its text, its tokens with their probabilities, how it ended. */
  readonly said: string
  /** Until its first piece, or its end where it has none. */
  readonly firstMs: number
  /** The longest time between two pieces. */
  readonly gapMs: number
  readonly ms: number
  /** As they came. */
  readonly pieces: number
  readonly reroutes: number
  readonly exact: boolean
}

export interface Chunk {
  readonly choices?: readonly object[]
  readonly error?: { readonly message?: string }
  readonly mesh?: {
    readonly reroutes?: { readonly count: number; readonly exact: boolean }
    readonly resumedTokens?: number
  }
}

/** Whether its pieces are seen as they come. */
export function isStreamed(form: Form): boolean {
  return form === 'greedy' || form === 'seeded' || form === 'constrained'
}

/** Asks, and calls `onPiece` for each piece. @throws MeshError what the client was told instead of an answer */
export async function askOnce(url: string, question: Question, onPiece = () => {}): Promise<SeenAnswer> {
  const beganMs = performance.now()
  const { path, body } = requestOf(question)
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(PATIENCE_MS)
  })
  if (!response.ok || response.body === null) throw new MeshError('unavailable', await response.text())
  if (!isStreamed(question.form)) {
    const answers = answersOf(await response.json())
    const ms = performance.now() - beganMs
    return { said: JSON.stringify(answers.map(saidOf)), firstMs: ms, gapMs: 0, ms, pieces: 0, ...reroutesOf(answers) }
  }
  const chunks: Chunk[] = []
  let [firstMs, gapMs, lastMs, pieces] = [0, 0, beganMs, 0]
  for await (const { data } of events(response.body)) {
    if (data === '[DONE]') {
      const ms = performance.now() - beganMs
      const choices = chunks.flatMap(chunk => chunk.choices ?? [])
      return { said: JSON.stringify(joined(choices)), firstMs, gapMs, ms, pieces, ...reroutesOf(chunks) }
    }
    const chunk: Chunk = JSON.parse(data)
    if (chunk.error !== undefined) throw new MeshError('unavailable', data)
    chunks.push(chunk)
    if (tokensOf(chunk.choices?.[0]).length === 0) continue
    const nowMs = performance.now()
    if (firstMs === 0) firstMs = nowMs - beganMs
    else gapMs = Math.max(gapMs, nowMs - lastMs)
    lastMs = nowMs
    pieces++
    onPiece()
  }
  throw new MeshError('unavailable', `the stream broke off after ${chunks.length} pieces`)
}

export function requestOf({ model, form, tokens }: Question): { readonly path: string; readonly body: object } {
  const messages = [{ role: 'user', content: QUESTION.repeat(REPEATED) }]
  const plain = {
    model,
    messages,
    max_tokens: tokens,
    ignore_eos: true,
    temperature: 0,
    logprobs: true,
    top_logprobs: 1
  }
  const drawn = { ...plain, temperature: 0.9, top_p: 0.95, seed: 11, frequency_penalty: 0.3 }
  const path = '/v1/chat/completions'
  switch (form) {
    case 'greedy':
      return { path, body: { ...plain, stream: true } }
    case 'seeded':
      return { path, body: { ...drawn, stream: true } }
    case 'constrained':
      return { path, body: { ...drawn, ignore_eos: false, stream: true, response_format: numbers(tokens) } }
    case 'two choices':
      return { path, body: { ...drawn, n: 2 } }
    case 'not streamed':
      return { path, body: plain }
    case 'batch':
      return {
        path: '/v1/batch',
        body: { requests: [plain, drawn].map((one, index) => ({ custom_id: `line ${index}`, url: path, body: one })) }
      }
  }
}

/** A list of about so many tokens, whatever the model would rather say. */
function numbers(tokens: number): object {
  const items = Math.max(4, Math.floor(tokens / 4))
  const schema = {
    type: 'array',
    items: { type: 'integer', minimum: 0, maximum: 99 },
    minItems: items,
    maxItems: items
  }
  return { type: 'json_schema', json_schema: { name: 'numbers', schema, strict: true } }
}

/** The answers in a body: of one request, or of each in a batch. */
export function answersOf(
  body: { readonly responses?: readonly { readonly response: { readonly body: Chunk } }[] } & Chunk
) {
  const answers = body.responses?.map(({ response }) => response.body) ?? [body]
  const failed = answers.find(({ choices }) => choices === undefined)
  if (failed !== undefined) throw new MeshError('unavailable', JSON.stringify(failed))
  return answers
}

export function saidOf({ choices = [] }: Chunk): unknown[] {
  return choices.map(choice => joined([choice]))
}

interface Piece {
  readonly delta?: { readonly content?: string }
  readonly message?: { readonly content?: string }
  readonly logprobs?: { readonly content?: readonly object[] | null } | null
  readonly finish_reason?: string | null
}

export function tokensOf(piece: Piece | undefined): readonly object[] {
  return piece?.logprobs?.content ?? []
}

export function joined(pieces: readonly Piece[]): object {
  return {
    text: pieces.map(({ delta, message }) => delta?.content ?? message?.content ?? '').join(''),
    tokens: pieces.flatMap(piece => [...tokensOf(piece)]),
    finish: pieces.findLast(piece => piece.finish_reason)?.finish_reason
  }
}

export function reroutesOf(answers: readonly Chunk[]): Pick<SeenAnswer, 'reroutes' | 'exact'> {
  const all = answers.flatMap(({ mesh }) => (mesh?.reroutes === undefined ? [] : [mesh.reroutes]))
  return { reroutes: all.reduce((sum, { count }) => sum + count, 0), exact: all.every(({ exact }) => exact) }
}

export function events(body: ReadableStream<Uint8Array<ArrayBuffer>>) {
  return body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream())
}
