import { type AbortOptions, MeshError, type Scheduler, withDeadline } from '@resultity/interface'
import { readEvents } from './event-reader.ts'
import { type HttpAnswer, type HttpRequest, sendRequest } from './http-request.ts'
import { limited, wholeBody } from './limited-body.ts'
import { errorInEvent, refusalOf } from './upstream-errors.ts'
import type { UpstreamLimits } from './upstream-limits.ts'

export interface UpstreamClientInit {
  /** Where the API begins, such as `http://127.0.0.1:8000/v1`. */
  readonly base: string
  readonly key: string | undefined
  readonly limits: UpstreamLimits
  readonly scheduler: Scheduler
}

export interface AskOptions extends AbortOptions {
  /** Takes an event of a streamed answer, UTF-8 JSON; the next one is read once the promise resolves. */
  onEvent(event: Uint8Array): Promise<void>
}

/** Of what a server says of a failure. */
const ERROR_BYTES_MAX = 64 * 1024

/** What ends a streamed answer. */
const DONE = '[DONE]'

/** Asks one server. No address of it comes from a request, and none that a server names is followed. */
export class UpstreamClient {
  readonly #init: UpstreamClientInit

  constructor(init: UpstreamClientInit) {
    this.#init = init
  }

  /** What the server says of its models; undefined where that is no JSON. @throws MeshError `upstream_failed` */
  async models({ signal }: AbortOptions = {}): Promise<unknown> {
    const { limits, scheduler } = this.#init
    return await withDeadline(
      'the list of its models',
      limits.lookMs,
      async signal => {
        const response = await this.#send('/models', { method: 'GET', signal })
        return parsed(await this.#read(() => wholeBody(response.body, limits.listBytesMax), signal))
      },
      { scheduler, ...(signal === undefined ? {} : { signal }) }
    )
  }

  /**
   * Passes a request on.
   *
   * @param path of the API, such as `/chat/completions`
   * @param body with `stream: true` for an answer by events
   * @returns the answer, UTF-8 JSON; of a streamed one nothing
   * @throws MeshError `upstream_failed`; `invalid_request`, `context_length_exceeded` and `resource_exhausted` as the server says;
   * the signal's reason
   */
  async ask(path: string, body: Readonly<Record<string, unknown>>, options: AskOptions): Promise<Uint8Array> {
    // however this ends: the server must not go on for nobody
    const ended = new AbortController()
    const signal = options.signal === undefined ? ended.signal : AbortSignal.any([options.signal, ended.signal])
    try {
      return await this.#answer(path, body, { signal, onEvent: options.onEvent })
    } finally {
      ended.abort(new MeshError('canceled', 'the answer is over'))
    }
  }

  async #answer(
    path: string,
    body: Readonly<Record<string, unknown>>,
    { signal, onEvent }: AskOptions & { readonly signal: AbortSignal }
  ): Promise<Uint8Array> {
    const response = await this.#send(path, { method: 'POST', body: JSON.stringify(body), signal })
    const streamed = body.stream === true
    if (response.contentType.startsWith('text/event-stream') !== streamed) {
      throw failed(
        streamed ? 'it was asked for events and gave none' : 'it was asked for a whole answer and gave events'
      )
    }
    if (streamed) {
      await this.#events(response, signal, onEvent)
      return new Uint8Array(0)
    }
    const answer = await this.#read(() => wholeBody(response.body, this.#init.limits.answerBytesMax), signal)
    const json = parsed(answer)
    if (typeof json === 'object' && json !== null) return answer
    throw failed('its answer is no JSON object')
  }

  async #events(response: HttpAnswer, signal: AbortSignal, onEvent: AskOptions['onEvent']): Promise<void> {
    const { answerBytesMax, eventBytesMax } = this.#init.limits
    const silence = new AbortController()
    const either = AbortSignal.any([signal, silence.signal])
    const events = readEvents(this.#watched(limited(response.body, answerBytesMax), silence), eventBytesMax)
    const text = new TextEncoder()
    for (;;) {
      const { value: data, done } = await this.#read(() => events.next(), either)
      if (done === true) throw failed('its answer ended before it was whole')
      if (data === DONE) return
      const bytes = text.encode(data)
      const event = parsed(bytes)
      if (typeof event !== 'object' || event === null) throw failed('an event of its answer is no JSON object')
      const error = errorInEvent(event)
      if (error !== undefined) throw error
      await onEvent(bytes)
    }
  }

  /**
   * The bytes of a body; `silence` aborts when none come for too long while they are waited for. The first may take as long as
   * the job: some servers send the head of an answer while its request still waits there.
   */
  async *#watched(body: AsyncGenerator<Uint8Array, void>, silence: AbortController): AsyncGenerator<Uint8Array, void> {
    const { scheduler, limits } = this.#init
    const late = (): void => silence.abort(failed(`it was silent for ${limits.silenceMs} ms within an answer`))
    for (let begun = false; ; begun = true) {
      const timer = begun ? scheduler.setTimeout(late, limits.silenceMs) : undefined
      // nobody is silent while what came is being passed on
      const { value, done } = await body.next().finally(() => scheduler.clear(timer))
      if (done === true) return
      yield value
    }
  }

  /** @throws MeshError for an answer that is none, the signal's reason */
  async #send(
    path: string,
    init: Omit<HttpRequest, 'headers'> & { readonly signal: AbortSignal }
  ): Promise<HttpAnswer> {
    const { base, key } = this.#init
    const headers = {
      ...(init.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` })
    }
    const response = await this.#read(() => sendRequest(`${base}${path}`, { ...init, headers }), init.signal)
    if (response.status >= 200 && response.status < 300) return response
    const said = await this.#read(() => wholeBody(response.body, ERROR_BYTES_MAX), init.signal).catch(error => {
      init.signal.throwIfAborted()
      return new TextEncoder().encode(JSON.stringify({ message: MeshError.from(error).message }))
    })
    throw refusalOf(response.status, parsed(said))
  }

  /** What breaks while something is read, told as what it is: an abort, or the server's fault. */
  async #read<T>(read: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const { promise: aborted, reject } = Promise.withResolvers<never>()
    const onAbort = (): void => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      signal.throwIfAborted()
      return await Promise.race([read(), aborted])
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof MeshError) throw error
      throw new MeshError('upstream_failed', `the connection failed: ${causeOf(error)}`, { cause: error })
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    // who reads it reports what is wrong
    return undefined
  }
}

function failed(what: string): MeshError {
  return new MeshError('upstream_failed', what)
}

function causeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error) return String(error.code)
  return error instanceof Error ? error.message : String(error)
}
