import type { StreamView } from '@resultity/jobs'
import { CHOICE, chatPieceSchema } from '@resultity/openai'
import type { Job, JobError, JobEvent } from '@resultity/store'
import { finishReasonOf, requestOf, responseOf, unfinished } from './response-object.ts'
import { type OutputEvent, piecesOf, ResponseOutput } from './response-output.ts'
import type { ResponseEvent, ResponseRequest } from './response-schema.ts'

/**
 * A response's log as its events. They are made from the log alone, so a second reading gives the same events
 * under the same numbers, whenever and wherever that is.
 */
export class ResponseView implements StreamView {
  readonly named = true
  readonly #job: Job
  readonly #request: ResponseRequest
  readonly #output: ResponseOutput
  #count = 0
  #answering = false

  constructor(job: Job) {
    this.#job = job
    this.#request = requestOf(job)
    this.#output = new ResponseOutput(job)
  }

  begin(): ResponseEvent[] {
    if (this.#request.background !== true) {
      return this.#numbered([this.#lifecycle('created', 'in_progress'), this.#lifecycle('in_progress', 'in_progress')])
    }
    return this.#numbered([this.#lifecycle('created', 'queued'), this.#lifecycle('queued', 'queued')])
  }

  render({ type, data }: JobEvent): ResponseEvent[] {
    if (type === 'started') {
      return this.#request.background === true ? this.#numbered([this.#lifecycle('in_progress', 'in_progress')]) : []
    }
    if (type !== CHOICE) return []
    this.#answering = true
    return this.#numbered(this.#output.take(chatPieceSchema.parse(data)))
  }

  end(job: Job): ResponseEvent[] {
    const response = responseOf(job)
    // nobody had asked for the pieces
    const pieces = this.#answering ? [] : piecesOf(response.output, finishReasonOf(response))
    const events = pieces.flatMap(piece => this.#output.take(piece))
    const type = response.status === 'incomplete' ? 'response.incomplete' : 'response.completed'
    return this.#numbered([...events, { type, response }])
  }

  /** There is no event for a cancelled response; `response.incomplete` ends a stream, and the status says why. */
  fail(job: Job): ResponseEvent[] {
    const response = responseOf(job)
    const type = response.status === 'cancelled' ? 'response.incomplete' : 'response.failed'
    return this.#numbered([{ type, response }])
  }

  /** Carries the number of the event before it: a reader that comes back continues after that. */
  interrupt({ code, message, param }: JobError): ResponseEvent {
    return { type: 'error', code, message, param, sequence_number: Math.max(0, this.#count - 1) }
  }

  #lifecycle(type: 'created' | 'queued' | 'in_progress', status: 'queued' | 'in_progress'): OutputEvent {
    return { type: `response.${type}`, response: unfinished(this.#job, this.#request, status) }
  }

  #numbered(events: readonly OutputEvent[]): ResponseEvent[] {
    return events.map(event => ({ ...event, sequence_number: this.#count++ }))
  }
}
