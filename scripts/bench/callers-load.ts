import { MeshError } from '@resultity/interface'
import { z } from 'zod'

/** A server of OpenAI's chat API, and what it calls the model. */
export interface ChatServer {
  readonly url: string
  readonly model: string
}

/** One streamed answer, seen by its caller. */
export interface StreamTimes {
  readonly tokens: number
  readonly firstTokenMs: number
  /** Between two pieces of text, one after another. */
  readonly gapsMs: readonly number[]
}

const WORDS = 'the river ran past an old mill where nobody had ground corn since winter came early that year'.split(' ')

const eventSchema = z.looseObject({
  choices: z.array(z.looseObject({ delta: z.looseObject({ content: z.string().nullish() }).optional() })).default([]),
  usage: z.looseObject({ completion_tokens: z.int() }).nullish()
})

/** A prompt of so many words; no two callers have the same. */
export function promptOf(caller: number, words: number): string {
  const text = Array.from({ length: words }, (_, index) => WORDS[(index * 7 + caller * 5) % WORDS.length])
  return `Go on with story ${caller}: ${text.join(' ')}`
}

/** Asks for an answer of just so many tokens, and notes when its pieces come. */
export async function stream(server: ChatServer, prompt: string, answerTokens: number): Promise<StreamTimes> {
  const startedMs = performance.now()
  const response = await fetch(`${server.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: server.model,
      messages: [{ role: 'user', content: prompt }],
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
  let tokens = 0
  let rest = ''
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + piece).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (!line.startsWith('data: {')) continue
      const { choices, usage } = eventSchema.parse(JSON.parse(line.slice('data: '.length)))
      if ((choices[0]?.delta?.content ?? '') !== '') cameMs.push(performance.now())
      tokens = usage?.completion_tokens ?? tokens
    }
  }
  if (tokens !== answerTokens) throw new MeshError('internal', `${tokens} tokens came, ${answerTokens} were asked for`)
  const gapsMs = cameMs.slice(1).map((atMs, index) => atMs - (cameMs[index] ?? atMs))
  return { tokens, firstTokenMs: (cameMs[0] ?? Number.NaN) - startedMs, gapsMs }
}
