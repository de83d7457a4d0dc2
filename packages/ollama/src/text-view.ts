import { jobErrorReply, keptErrorReply } from '@resultity/api-kit'
import type { StreamView } from '@resultity/jobs'
import { CHOICE } from '@resultity/openai'
import type { Job, JobError, JobEvent } from '@resultity/store'
import { ollamaErrors } from './ollama-errors.ts'
import { NOTHING, pieceOf, type Said, SaidReader } from './said.ts'
import type { TextDialect } from './text-dialect.ts'
import { MEASURES, type Measures } from './text-schema.ts'

type Content = Pick<TextDialect<never>, 'contentOf'>

/** @param measures those of an answer's last line, or of a whole one; undefined: more follows */
export function lineOf(
  { createdAtMs }: Job,
  model: string,
  { contentOf }: Content,
  said: Said,
  measures?: Measures
): Readonly<Record<string, unknown>> {
  return {
    model,
    created_at: new Date(createdAtMs).toISOString(),
    ...contentOf(said),
    ...(said.logprobs.length === 0 ? {} : { logprobs: said.logprobs }),
    done: measures !== undefined,
    ...measures
  }
}

/** A log as lines of JSON: one for each piece of text or whole call, and a last one that says how it went. */
export class TextView implements StreamView {
  readonly lines = true
  readonly #job: Job
  readonly #model: string
  readonly #content: Content
  readonly #reader = new SaidReader()
  #answering = false

  constructor(job: Job, model: string, content: Content) {
    this.#job = job
    this.#model = model
    this.#content = content
  }

  begin(): unknown[] {
    return []
  }

  render({ type, data }: JobEvent): unknown[] {
    if (type !== CHOICE) return []
    this.#answering = true
    return this.#reader.take(pieceOf(data)).map(said => this.#line(said))
  }

  end({ result }: Job): unknown[] {
    const whole = Object.entries(result?.body as Readonly<Record<string, unknown>>)
    const measures = Object.fromEntries(whole.filter(([name]) => MEASURES.has(name)))
    const said = Object.fromEntries(whole.filter(([name]) => !MEASURES.has(name)))
    // nobody had asked for the pieces
    const pieces = this.#answering || measures.done_reason === 'load' ? [] : [{ ...said, done: false }]
    return [...pieces, { ...this.#line(NOTHING), done: true, ...measures }]
  }

  fail(job: Job): unknown[] {
    const failure = jobErrorReply(job)
    return failure === undefined ? [] : [ollamaErrors.write(failure, this.#job.id)]
  }

  interrupt(error: JobError): unknown {
    return ollamaErrors.write(keptErrorReply(error), this.#job.id)
  }

  idle(): unknown {
    return this.#line(NOTHING)
  }

  #line(said: Said): Readonly<Record<string, unknown>> {
    return lineOf(this.#job, this.#model, this.#content, said)
  }
}
