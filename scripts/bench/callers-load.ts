import { MeshError } from '@resultity/interface'
import { z } from 'zod'

/** A server of OpenAI's chat API, and what it calls the model. */
export interface ChatServer {
  readonly url: string
  readonly model: string
}

/** A turn of a conversation. */
export interface ChatTurn {
  readonly role: 'user' | 'assistant'
  readonly content: string
}

/** One streamed answer, seen by its caller. */
export interface StreamTimes {
  readonly text: string
  readonly tokens: number
  readonly promptTokens: number
  /** Those of them that were not computed. */
  readonly cachedTokens: number
  readonly firstTokenMs: number
  /** Between two pieces of text, one after another. */
  readonly gapsMs: readonly number[]
}

const WORDS = 'the river ran past an old mill where nobody had ground corn since winter came early that year'.split(' ')

const eventSchema = z.looseObject({
  choices: z.array(z.looseObject({ delta: z.looseObject({ content: z.string().nullish() }).optional() })).default([]),
  usage: z
    .looseObject({
      prompt_tokens: z.int().default(0),
      completion_tokens: z.int(),
      prompt_tokens_details: z.looseObject({ cached_tokens: z.int().nullish() }).nullish()
    })
    .nullish()
})

/** A prompt of so many words; no two callers have the same. */
export function promptOf(caller: number, words: number): string {
  const text = Array.from({ length: words }, (_, index) => WORDS[(index * 7 + caller * 5) % WORDS.length])
  return `Go on with story ${caller}: ${text.join(' ')}`
}

/** Asks for an answer of just so many tokens to a prompt, and notes when its pieces come. */
export function stream(server: ChatServer, prompt: string, answerTokens: number): Promise<StreamTimes> {
  return streamChat(server, [{ role: 'user', content: prompt }], answerTokens)
}

/** The same to a conversation. */
export async function streamChat(
  server: ChatServer,
  messages: readonly ChatTurn[],
  answerTokens: number
): Promise<StreamTimes> {
  const startedMs = performance.now()
  const response = await fetch(`${server.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: server.model,
      messages,
      max_tokens: answerTokens,
      temperature: 0,
      ignore_eos: true,
      stream: true,
      stream_options: { include_usage: true }
    })
  })
  if (!response.ok || response.body === null) {
    throw new MeshError('internal', `${server.url} answered ${response.status}: ${await response.text()}`)
  }
  const cameMs: number[] = []
  let text = ''
  let usage: z.infer<typeof eventSchema>['usage']
  let rest = ''
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + piece).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (!line.startsWith('data: {')) continue
      const event = eventSchema.parse(JSON.parse(line.slice('data: '.length)))
      const content = event.choices[0]?.delta?.content ?? ''
      if (content !== '') cameMs.push(performance.now())
      text += content
      usage = event.usage ?? usage
    }
  }
  const tokens = usage?.completion_tokens ?? 0
  if (tokens !== answerTokens) throw new MeshError('internal', `${tokens} tokens came, ${answerTokens} were asked for`)
  const gapsMs = cameMs.slice(1).map((atMs, index) => atMs - (cameMs[index] ?? atMs))
  const cachedTokens = usage?.prompt_tokens_details?.cached_tokens ?? 0
  const promptTokens = usage?.prompt_tokens ?? 0
  return { text, tokens, promptTokens, cachedTokens, firstTokenMs: (cameMs[0] ?? Number.NaN) - startedMs, gapsMs }
}
