import { setTimeout } from 'node:timers/promises'
import { MeshError } from '@resultity/interface'
import { SeededRandom } from './seeded-random.ts'

/** One interactive request: when it is sent, and what it asks. */
export interface PlannedRequest {
  /** From the begin of the load. */
  readonly atMs: number
  readonly prompt: string
}

/** From sending a request to the first piece of its text; or what came instead of an answer. */
export type RequestOutcome = { readonly firstTokenMs: number } | { readonly failure: string }

export interface InteractiveLoadInit {
  readonly url: string
  readonly model: string
  readonly answerTokens: number
}

const WORDS = 'the river ran past an old mill where nobody had ground corn since winter came early that year'.split(' ')
const PROMPT_WORDS_MIN = 10
const PROMPT_WORDS_MAX = 80

/** Requests that arrive by chance, `perSecond` of them on average; the same of the same seed. */
export function planRequests(seed: number, seconds: number, perSecond: number): PlannedRequest[] {
  const random = new SeededRandom(seed)
  const planned: PlannedRequest[] = []
  for (let atMs = random.interval(1000 / perSecond); atMs < seconds * 1000; ) {
    const words = PROMPT_WORDS_MIN + random.below(PROMPT_WORDS_MAX - PROMPT_WORDS_MIN)
    const text = Array.from({ length: words }, () => WORDS[random.below(WORDS.length)]).join(' ')
    planned.push({ atMs, prompt: `Go on with this: ${text}` })
    atMs += random.interval(1000 / perSecond)
  }
  return planned
}

/** Sends each at its time, whether the ones before are answered or not, and waits for all. */
export function sendAll(planned: readonly PlannedRequest[], init: InteractiveLoadInit): Promise<RequestOutcome[]> {
  return Promise.all(
    planned.map(async ({ atMs, prompt }) => {
      await setTimeout(atMs)
      return await ask(prompt, init)
    })
  )
}

async function ask(prompt: string, { url, model, answerTokens }: InteractiveLoadInit): Promise<RequestOutcome> {
  const startedMs = performance.now()
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model,
      messages: [{ role: 'user', content: prompt }],
      max_tokens: answerTokens,
      temperature: 0,
      ignore_eos: true,
      stream: true
    })
  })
  if (!response.ok || response.body === null) return { failure: `${response.status} ${await response.text()}` }
  let firstTokenMs: number | undefined
  let text = ''
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
    text += piece
    // the first chunk only says who speaks
    if (firstTokenMs === undefined && /"content":"[^"]/.test(text)) firstTokenMs = performance.now() - startedMs
  }
  if (firstTokenMs === undefined || !text.endsWith('data: [DONE]\n\n')) return { failure: text.slice(-500) }
  return { firstTokenMs }
}

/** A batch on the API. */
export interface BatchProgress {
  readonly status: string
  readonly completed: number
  readonly failed: number
}

const POLL_MS = 250

/** `lines` short questions as a batch, at work from its making to its end or to {@link Batch.cancel}. */
export class Batch {
  readonly #url: string
  readonly #id: string

  private constructor(url: string, id: string) {
    this.#url = url
    this.#id = id
  }

  static async create({ url, model, lines, answerTokens }: BatchInit): Promise<Batch> {
    const jsonl = Array.from({ length: lines }, (_, index) => {
      const messages = [{ role: 'user', content: `Tell me something about the number ${index}.` }]
      const body = { model, messages, max_tokens: answerTokens, temperature: 0, ignore_eos: true }
      return `${JSON.stringify({ custom_id: `line-${index}`, method: 'POST', url: '/v1/chat/completions', body })}\n`
    })
    const form = new FormData()
    form.append('purpose', 'batch')
    form.append('file', new Blob(jsonl), 'lines.jsonl')
    const file = await call(`${url}/v1/files`, { method: 'POST', body: form })
    const batch = await call(`${url}/v1/batches`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        input_file_id: file.id,
        endpoint: '/v1/chat/completions',
        completion_window: '24h'
      })
    })
    return new Batch(url, String(batch.id))
  }

  async progress(): Promise<BatchProgress> {
    const { status, request_counts } = await call(`${this.#url}/v1/batches/${this.#id}`)
    const { completed, failed } = request_counts as { completed: number; failed: number }
    return { status: String(status), completed, failed }
  }

  /** Resolves once so many lines are answered. */
  async untilCompleted(count: number): Promise<void> {
    while ((await this.progress()).completed < count) await setTimeout(POLL_MS)
  }

  /** Resolves once nothing of it is at work. @throws MeshError when it ended in another way */
  async cancel(): Promise<BatchProgress> {
    await call(`${this.#url}/v1/batches/${this.#id}/cancel`, { method: 'POST' })
    for (;;) {
      const progress = await this.progress()
      if (progress.status === 'cancelled') return progress
      if (progress.status !== 'cancelling') throw new MeshError('internal', `the batch is ${progress.status}`)
      await setTimeout(POLL_MS)
    }
  }
}

export interface BatchInit {
  readonly url: string
  readonly model: string
  readonly lines: number
  readonly answerTokens: number
}

async function call(url: string, init: RequestInit = {}): Promise<Record<string, unknown>> {
  const response = await fetch(url, init)
  const text = await response.text()
  if (!response.ok) throw new MeshError('internal', `${url} answered ${response.status}: ${text}`)
  return JSON.parse(text)
}
