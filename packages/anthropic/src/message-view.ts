import { type ErrorReply, jobErrorReply, keptErrorReply } from '@resultity/api-kit'
import { jobBodyOf, type StreamView } from '@resultity/jobs'
import { CHOICE, chatPieceSchema } from '@resultity/openai'
import type { Job, JobError, JobEvent } from '@resultity/store'
import { MessageContent, piecesOf } from './message-content.ts'
import { messageErrors } from './message-errors.ts'
import { unanswered } from './message-object.ts'
import { type MessageEvent, messageSchema, storedMessageSchema } from './message-schema.ts'

/** A message's log as its events, made of the log alone. */
export class MessageView implements StreamView {
  readonly named = true
  readonly #job: Job
  readonly #content = new MessageContent()
  #answering = false

  constructor(job: Job) {
    this.#job = job
  }

  begin(): MessageEvent[] {
    const request = storedMessageSchema.parse(jobBodyOf(this.#job).request)
    return [{ type: 'message_start', message: unanswered(this.#job, request) }, { type: 'ping' }]
  }

  render({ type, data }: JobEvent): MessageEvent[] {
    if (type !== CHOICE) return []
    this.#answering = true
    return this.#content.take(chatPieceSchema.parse(data))
  }

  end(job: Job): MessageEvent[] {
    const { content, stop_reason, stop_sequence, stop_details, container, usage } = messageSchema.parse(
      job.result?.body
    )
    const { service_tier: _, ...counts } = usage
    // nobody had asked for the pieces
    const pieces = this.#answering ? [] : piecesOf(content)
    const delta = { stop_reason, stop_sequence, stop_details, container }
    return [
      ...pieces.flatMap(piece => this.#content.take(piece)),
      { type: 'message_delta', delta, usage: counts },
      { type: 'message_stop' }
    ]
  }

  fail(job: Job): unknown[] {
    const failure = jobErrorReply(job)
    return failure === undefined ? [] : [this.#error(failure)]
  }

  interrupt(error: JobError): unknown {
    return this.#error(keptErrorReply(error))
  }

  #error(reply: ErrorReply): unknown {
    return messageErrors.write(reply, this.#job.id)
  }
}
