/** A client that behaves. Errors of the API are answers here. */
export class ApiClient {
  readonly #url: string
  readonly #apiKey: string

  constructor(url: string, apiKey: string) {
    this.#url = url
    this.#apiKey = apiKey
  }

  /** @throws TypeError when there is no answer */
  async send(
    method: string,
    path: string,
    body?: unknown,
    signal?: AbortSignal
  ): Promise<{ status: number; text: string }> {
    const response = await fetch(`${this.#url}${path}`, {
      method,
      headers: {
        ...(this.#apiKey === '' ? {} : { authorization: `Bearer ${this.#apiKey}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' })
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal })
    })
    return { status: response.status, text: await response.text() }
  }

  /** @throws Error with the body when the status is not 200 */
  async read<T>(path: string, body?: unknown): Promise<T> {
    const { status, text } = await this.send(body === undefined ? 'GET' : 'POST', path, body)
    if (status !== 200) throw new Error(`${path}: ${status} ${text.slice(0, 1_000)}`)
    return JSON.parse(text)
  }

  /** All of a list that comes page by page. */
  async *list<T>(path: string): AsyncGenerator<T> {
    let after = ''
    for (;;) {
      const page = await this.read<{ data: T[]; has_more: boolean; last_id: string | null }>(`${path}${after}`)
      yield* page.data
      if (!page.has_more || page.last_id === null) return
      after = `&after=${page.last_id}`
    }
  }
}
