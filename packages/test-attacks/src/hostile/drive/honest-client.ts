import { setTimeout as delay } from 'node:timers/promises'
import { type GoldenQuestion, goldenQuestions } from '@resultity/testkit'
import { SERVED } from '../corpus/hostile-case.ts'
import type { ApiClient } from './api-client.ts'

/** How the honest client fared. A refusal is an error that says to come again: its status is 429, 503 or 504. */
export interface HonestReport {
  readonly right: number
  readonly refused: number
  /** What was wrong, or no answer at all. */
  readonly faults: readonly string[]
}

const FAULTS_MAX = 50
/** Between an answer and the next question. */
const PAUSE_MS = 50
/** An embedding is the same to so many places, whatever it is computed beside. */
const TOLERANCE = 1e-4
const TEXT = 'Paris is where the French government sits.'

/** Asks questions whose answers are known, one after the other, and now and then for a vector. */
export class HonestClient {
  readonly #api: ApiClient
  readonly #questions: readonly GoldenQuestion[]
  readonly #vector: readonly number[]
  readonly #faults: string[] = []
  #right = 0
  #refused = 0

  private constructor(api: ApiClient, questions: readonly GoldenQuestion[], vector: readonly number[]) {
    this.#api = api
    this.#questions = questions
    this.#vector = vector
  }

  /** Asks once for the vector that it will expect. */
  static async start(api: ApiClient): Promise<HonestClient> {
    return new HonestClient(api, await goldenQuestions(SERVED.chat), await vectorOf(api))
  }

  get report(): HonestReport {
    return { right: this.#right, refused: this.#refused, faults: this.#faults }
  }

  /** Asks until the signal aborts. */
  async askUntil(signal: AbortSignal): Promise<void> {
    for (let turn = 0; !signal.aborted; turn++) {
      await this.ask(turn)
      await delay(PAUSE_MS)
    }
  }

  /** Asks question number `turn`, counted round. */
  async ask(turn: number): Promise<void> {
    const question = this.#questions[turn % this.#questions.length]
    try {
      if (turn % 5 === 4) this.#judgeVector(await vectorOf(this.#api))
      else if (question !== undefined) await this.#askQuestion(question, turn % 2 === 0)
    } catch (error) {
      if (error instanceof Refusal) this.#refused += 1
      else this.#fault(String(error instanceof Error ? (error.cause ?? error) : error))
    }
  }

  async #askQuestion({ body, completion }: GoldenQuestion, stream: boolean): Promise<void> {
    const text = checked(await this.#api.send('POST', '/v1/chat/completions', { ...body, stream }))
    const content = stream ? streamedContent(text) : JSON.parse(text).choices[0].message.content
    if (content === completion) this.#right += 1
    else this.#fault(`asked ${JSON.stringify(body.messages)}: ${text.slice(0, 2_000)}`)
  }

  #judgeVector(vector: readonly number[]): void {
    const near = vector.every((value, at) => Math.abs(value - (this.#vector[at] ?? Number.NaN)) < TOLERANCE)
    if (near && vector.length === this.#vector.length) this.#right += 1
    else this.#fault(`another vector: ${vector.slice(0, 4)}`)
  }

  #fault(what: string): void {
    if (this.#faults.length < FAULTS_MAX) this.#faults.push(what)
  }
}

/** The mesh is busy and says so. */
class Refusal extends Error {
  override readonly name = 'Refusal'
}

function checked({ status, text }: { status: number; text: string }): string {
  if (status === 429 || status === 503 || status === 504) throw new Refusal(text)
  if (status !== 200) throw new Error(`status ${status}: ${text.slice(0, 1_000)}`)
  return text
}

async function vectorOf(api: ApiClient): Promise<number[]> {
  const text = checked(await api.send('POST', '/v1/embeddings', { model: SERVED.encoder, input: TEXT }))
  return JSON.parse(text).data[0].embedding
}

/** @throws Refusal for a stream that ends with one */
function streamedContent(text: string): string {
  let content = ''
  for (const line of text.split('\n')) {
    if (!line.startsWith('data: {')) continue
    const { choices, error } = JSON.parse(line.slice('data: '.length))
    if (/^(resource_exhausted|unavailable|layers_missing|deadline_exceeded)$/.test(error?.code)) throw new Refusal(text)
    if (error !== undefined) throw new Error(line)
    content += choices[0]?.delta.content ?? ''
  }
  return content
}
