import { randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { MeshError } from '@resultity/interface'
import {
  answersOf,
  type Chunk,
  events,
  isStreamed,
  joined,
  PATIENCE_MS,
  type Question,
  requestOf,
  reroutesOf,
  type SeenAnswer,
  saidOf,
  tokensOf
} from './chaos-answer.ts'

/** An answer that its coordinator promised, with how much of it was not made again. */
export interface PromisedAnswer extends SeenAnswer {
  readonly resumedTokens: number
}

const POLL_MS = 50

/** Base URL of the coordinator to ask now: the one that was asked may be gone. */
export type Whereabouts = () => string

/**
 * Asks for an answer that goes on without its client, and takes it in whatever becomes of the coordinator: as a stream that is
 * gone on with where it broke off, or by coming back for it.
 *
 * @throws MeshError what the client was told instead of an answer; a piece that came twice
 */
export async function askPromised(where: Whereabouts, question: Question, onPiece = () => {}): Promise<PromisedAnswer> {
  const signal = AbortSignal.timeout(PATIENCE_MS)
  const ask = (path: string, init: RequestInit = {}): Promise<Response> => persist(where, path, { ...init, signal })
  return isStreamed(question.form) ? await stream(ask, question, onPiece) : await poll(ask, question)
}

type Ask = (path: string, init?: RequestInit) => Promise<Response>

/** Sends until something answers. A key makes it safe to send a request again. */
async function persist(where: Whereabouts, path: string, init: RequestInit): Promise<Response> {
  for (;;) {
    try {
      const response = await fetch(where() + path, init)
      if (response.ok) return response
      if (response.status !== 503) throw new MeshError('unavailable', await response.text())
      await response.body?.cancel()
    } catch (error) {
      // the connection was refused, or broke
      if (!(error instanceof TypeError)) throw error
    }
    await setTimeout(POLL_MS)
  }
}

function post(body: object, headers: Readonly<Record<string, string>>): RequestInit {
  const all = { 'content-type': 'application/json', 'idempotency-key': randomUUID(), ...headers }
  return { method: 'POST', headers: all, body: JSON.stringify(body) }
}

async function poll(ask: Ask, question: Question): Promise<PromisedAnswer> {
  const beganMs = performance.now()
  const { path, body } = requestOf(question)
  const { id } = await (await ask(path, post(body, { prefer: 'respond-async' }))).json()
  for (;;) {
    const { status } = await readJson(ask, `/v1/requests/${id}`)
    if (status !== 'queued' && status !== 'running') break
    await setTimeout(POLL_MS)
  }
  const answers = answersOf(await readJson(ask, `/v1/requests/${id}/result`))
  const ms = performance.now() - beganMs
  const seen = { said: JSON.stringify(answers.map(saidOf)), firstMs: ms, gapMs: 0, ms, pieces: 0 }
  return { ...seen, ...reroutesOf(answers), resumedTokens: resumedOf(answers) }
}

/** An answer whose body breaks off is asked for again. */
async function readJson(ask: Ask, path: string): Promise<Chunk & { readonly status?: string }> {
  for (;;) {
    const text = await (await ask(path)).text().catch(() => undefined)
    if (text !== undefined) return JSON.parse(text)
  }
}

async function stream(ask: Ask, question: Question, onPiece: () => void): Promise<PromisedAnswer> {
  const reader = new StreamReader(onPiece)
  const { path, body } = requestOf(question)
  let response = await ask(path, post(body, {}))
  const { headers } = response
  const id = headers.get('x-resultity-request-id') ?? headers.get('x-request-id')
  while (!(await reader.read(response))) {
    const after = { 'last-event-id': String(reader.last) }
    response = await ask(`/v1/requests/${id}/events?format=endpoint`, { headers: after })
  }
  return reader.seen()
}

/** Takes in one answer over as many streams as it takes. */
class StreamReader {
  readonly #onPiece: () => void
  readonly #chunks: Chunk[] = []
  readonly #beganMs = performance.now()
  #lastMs = this.#beganMs
  #firstMs = 0
  #gapMs = 0
  #pieces = 0
  #last = 0

  constructor(onPiece: () => void) {
    this.#onPiece = onPiece
  }

  /** Number of the last entry that came. */
  get last(): number {
    return this.#last
  }

  /** @returns whether the answer's end came; false where the stream broke off */
  async read({ body }: Response): Promise<boolean> {
    const before = this.#last
    if (body === null) return false
    try {
      for await (const { id, data } of events(body)) {
        if (data === '[DONE]') return true
        // one entry may be several pieces
        if (id !== undefined && Number(id) <= before) throw new MeshError('internal', `entry ${id} came twice`)
        this.#take(JSON.parse(data))
        this.#last = Number(id ?? this.#last)
      }
    } catch (error) {
      // the connection broke
      if (!(error instanceof TypeError)) throw error
    }
    return false
  }

  seen(): PromisedAnswer {
    const choices = this.#chunks.flatMap(chunk => chunk.choices ?? [])
    return {
      said: JSON.stringify(joined(choices)),
      firstMs: this.#firstMs,
      gapMs: this.#gapMs,
      ms: performance.now() - this.#beganMs,
      pieces: this.#pieces,
      ...reroutesOf(this.#chunks),
      resumedTokens: resumedOf(this.#chunks)
    }
  }

  #take(chunk: Chunk): void {
    if (chunk.error !== undefined) throw new MeshError('unavailable', JSON.stringify(chunk.error))
    this.#chunks.push(chunk)
    if (tokensOf(chunk.choices?.[0]).length === 0) return
    const nowMs = performance.now()
    if (this.#pieces === 0) this.#firstMs = nowMs - this.#beganMs
    else this.#gapMs = Math.max(this.#gapMs, nowMs - this.#lastMs)
    this.#lastMs = nowMs
    this.#pieces++
    this.#onPiece()
  }
}

function resumedOf(answers: readonly Chunk[]): number {
  return answers.reduce((sum, { mesh }) => sum + (mesh?.resumedTokens ?? 0), 0)
}
