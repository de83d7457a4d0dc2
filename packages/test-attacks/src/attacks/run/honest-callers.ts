import { type GoldenQuestion, goldenQuestions } from '@resultity/testkit'
import { ApiClient } from '../../hostile/drive/api-client.ts'

const FAULTS_MAX = 50
const MODEL = 'tiny-chat'

/** What honest callers got in one stretch of time. */
export interface HonestTurn {
  readonly seconds: number
  readonly answers: number
  readonly tokens: number
}

/** Clients that ask one question after the other, whose answers are known. */
export class HonestCallers {
  readonly #api: ApiClient
  readonly #questions: readonly GoldenQuestion[]
  readonly #faults: string[] = []
  #right = 0
  #tokens = 0
  #asked = 0

  private constructor(api: ApiClient, questions: readonly GoldenQuestion[]) {
    this.#api = api
    this.#questions = questions
  }

  static async start(url: string): Promise<HonestCallers> {
    return new HonestCallers(new ApiClient(url, ''), await goldenQuestions(MODEL))
  }

  /** Right answers so far. */
  get right(): number {
    return this.#right
  }

  /** Answers that were wrong, and questions that had none. */
  get faults(): readonly string[] {
    return this.#faults
  }

  /** `callers` at once ask until the signal aborts, each at least once. */
  async askUntil(signal: AbortSignal, callers: number): Promise<HonestTurn> {
    const [answers, tokens, begun] = [this.#right, this.#tokens, performance.now()]
    const call = async (): Promise<void> => {
      do await this.#ask()
      while (!signal.aborted)
    }
    await Promise.all(Array.from({ length: callers }, call))
    const seconds = (performance.now() - begun) / 1000
    return { seconds, answers: this.#right - answers, tokens: this.#tokens - tokens }
  }

  async #ask(): Promise<void> {
    const question = this.#questions[this.#asked++ % this.#questions.length]
    if (question === undefined) return
    try {
      const { status, text } = await this.#api.send('POST', '/v1/chat/completions', question.body)
      const { choices, usage }: Answer = status === 200 ? JSON.parse(text) : {}
      if (choices?.[0]?.message.content === question.completion) {
        this.#right += 1
        this.#tokens += usage?.completion_tokens ?? 0
      } else this.#fault(`status ${status}: ${text.slice(0, 1_000)}`)
    } catch (error) {
      this.#fault(String(error instanceof Error ? (error.cause ?? error) : error))
    }
  }

  #fault(what: string): void {
    if (this.#faults.length < FAULTS_MAX) this.#faults.push(what)
  }
}

interface Answer {
  readonly choices?: readonly { readonly message: { readonly content: string } }[]
  readonly usage?: { readonly completion_tokens: number }
}
