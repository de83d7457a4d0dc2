import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

/** A question of which it is known what a model answers. */
export interface GoldenQuestion {
  /** Of a chat completion. */
  readonly body: Readonly<Record<string, unknown>>
  readonly completion: string
}

/** Those of tiny-chat's own golden answers. @param model what it is called where it is asked */
export async function goldenQuestions(model: string): Promise<GoldenQuestion[]> {
  const path = fileURLToPath(import.meta.resolve('@resultity/model/models/tiny-chat/golden.json'))
  const golden: { prompt: string; completion: string }[] = JSON.parse(await readFile(path, 'utf8'))
  return golden.map(({ prompt, completion }) => ({
    body: { model, messages: messagesOf(prompt), temperature: 0 },
    completion
  }))
}

/** The messages that the chat template turned into `prompt`. */
function messagesOf(prompt: string): { role: string; content: string }[] {
  return [...prompt.matchAll(/<\|(system|user|assistant)\|>\n(.*?)<\|end\|>/gs)].map(match => ({
    role: match[1] ?? '',
    content: match[2] ?? ''
  }))
}
