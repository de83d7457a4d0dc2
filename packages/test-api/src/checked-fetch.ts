import { createParser } from 'eventsource-parser'
import {
  bodyErrors,
  type Exchange,
  eventErrors,
  headErrors,
  lineErrors,
  mediaTypeOf,
  streamErrors
} from './answer-check.ts'
import { OwnDescription } from './own-description.ts'

type Fetch = typeof fetch

/** Kept of one server; a broken schema breaks every answer alike. */
const VIOLATIONS_MAX = 20

/** Checks every answer of one server on its way to the caller. */
export class ApiCheck implements AsyncDisposable {
  readonly #baseUrl: string
  readonly #fetch: Fetch
  readonly #violations = new Set<string>()
  #own: Promise<OwnDescription> | undefined

  constructor(baseUrl: string, plainFetch: Fetch) {
    this.#baseUrl = baseUrl
    this.#fetch = plainFetch
  }

  /** What was broken so far, each once. */
  get violations(): readonly string[] {
    return [...this.#violations]
  }

  /** As `fetch`. Nothing that the caller sees differs, whatever is found. */
  async fetch(input: Parameters<Fetch>[0], init?: RequestInit): Promise<Response> {
    const response = await this.#fetch(input, init)
    const request = input instanceof Request ? input : undefined
    const url = new URL(request?.url ?? String(input))
    const exchange: Exchange = {
      method: (init?.method ?? request?.method ?? 'GET').toUpperCase(),
      // as the server finds the route: doubled slashes and one at the end do not count
      path: url.pathname.replaceAll(/\/{2,}/g, '/').replace(/(?<=.)\/$/, ''),
      sent: typeof init?.body === 'string' ? init.body : undefined,
      status: response.status,
      headers: response.headers
    }
    const own = await this.#description()
    this.#note(exchange, headErrors(own, exchange))
    return this.#passOn(own, exchange, response)
  }

  /** @throws Error that names all that was broken */
  async [Symbol.asyncDispose](): Promise<void> {
    checks.delete(new URL(this.#baseUrl).origin)
    if (this.#violations.size === 0) return
    throw new Error(`answers break the API's description:\n${this.violations.join('\n')}`)
  }

  async #description(): Promise<OwnDescription> {
    this.#own ??= this.#fetch(`${this.#baseUrl}/openapi.json`)
      .then(response => response.json())
      .then(document => new OwnDescription(document))
    return this.#own
  }

  async #passOn(own: OwnDescription, exchange: Exchange, response: Response): Promise<Response> {
    const { status, statusText, headers, body } = response
    const type = mediaTypeOf(headers)
    if (body === null) return response
    if (type === 'text/event-stream') {
      return new Response(body.pipeThrough(this.#watch(own, exchange)), { status, statusText, headers })
    }
    if (type === 'application/x-ndjson') {
      return new Response(body.pipeThrough(this.#watchLines(own, exchange)), { status, statusText, headers })
    }
    if (type !== 'application/json') return response
    const text = await response.text()
    // a file's content may be JSON too, and is nobody's schema
    if (!(exchange.path.endsWith('/content') && status < 300)) this.#note(exchange, bodyErrors(own, exchange, text))
    return new Response(text, { status, statusText, headers })
  }

  /** Passes the bytes of a stream on as they come, and looks at its events. */
  #watch(own: OwnDescription, exchange: Exchange): TransformStream<Uint8Array, Uint8Array> {
    const seen: string[] = []
    const parser = createParser({
      onEvent: ({ data }) => {
        seen.push(data)
        this.#note(exchange, eventErrors(own, exchange, data))
      }
    })
    const decoder = new TextDecoder()
    return new TransformStream({
      transform: (piece, controller) => {
        parser.feed(decoder.decode(piece, { stream: true }))
        controller.enqueue(piece)
      },
      // only of a stream that came to its end: one that was left has none
      flush: () => this.#note(exchange, streamErrors(exchange, seen))
    })
  }

  /** The same for a stream of JSON lines. */
  #watchLines(own: OwnDescription, exchange: Exchange): TransformStream<Uint8Array, Uint8Array> {
    const decoder = new TextDecoder()
    let begun = ''
    return new TransformStream({
      transform: (piece, controller) => {
        const lines = (begun + decoder.decode(piece, { stream: true })).split('\n')
        begun = lines.pop() ?? ''
        for (const line of lines) this.#note(exchange, lineErrors(own, exchange, line))
        controller.enqueue(piece)
      }
    })
  }

  #note({ method, path, status }: Exchange, errors: readonly string[]): void {
    for (const error of errors) {
      if (this.#violations.size < VIOLATIONS_MAX) this.#violations.add(`${method} ${path} ${status}: ${error}`)
    }
  }
}

const checks = new Map<string, ApiCheck>()
let plainFetch: Fetch | undefined

/**
 * Checks whatever this process fetches from the server at `baseUrl`, by any client that uses the global `fetch` and was
 * made after this call, until the check is disposed.
 */
export function checkFetches(baseUrl: string): ApiCheck {
  if (plainFetch === undefined) {
    const plain = globalThis.fetch
    plainFetch = plain
    globalThis.fetch = async (input, init) => {
      const url = input instanceof Request ? input.url : String(input)
      const check = checks.get(URL.parse(url)?.origin ?? '')
      return check === undefined ? plain(input, init) : check.fetch(input, init)
    }
  }
  const check = new ApiCheck(baseUrl, plainFetch)
  checks.set(new URL(baseUrl).origin, check)
  return check
}
