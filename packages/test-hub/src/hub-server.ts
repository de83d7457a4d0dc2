import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ServedFile } from './served-file.ts'

export interface TestHubInit {
  /** `ORG/REPO`. */
  readonly repository: string
  readonly files: Readonly<Record<string, ServedFile>>
  readonly commit?: string
  /** Only who shows this token gets files. */
  readonly token?: string
  /** Default 0: any that is free. */
  readonly port?: number
}

/** What the hub does otherwise than it should; may be changed while it runs. */
export interface HubFaults {
  /** Serves whole files whatever is asked. */
  ignoreRanges?: boolean
  /** Breaks the connection after so many bytes of a file, at each of the next answers. */
  breakAfter?: number[]
  /** Sends so much of each file of weights and then nothing, until {@link TestHub.release}. */
  stallAfter?: number
  /** Answers the next requests for files with these statuses. */
  statuses?: number[]
  /** Announces this hash of every file of weights. */
  changedTo?: string
  /** Sends every request for a file there. */
  redirectTo?: string
}

export interface RangeRequest {
  readonly path: string
  readonly from: number
  readonly bytes: number
  /** Whether a token came with it. */
  readonly withToken: boolean
}

/** Bytes of a file that are made and sent at a time. */
const CHUNK_BYTES = 1024 * 1024

/** A hub on this machine with one repository. Dispose of it to stop it. */
export class TestHub implements AsyncDisposable {
  readonly url: string
  readonly commit: string
  /** Requests for files, in order. */
  readonly requests: RangeRequest[] = []
  /** Which commit each branch and tag is; may be changed while it runs. */
  readonly revisions: Record<string, string>
  readonly faults: HubFaults = {}
  /** Bytes of files sent so far. */
  bytesSent = 0
  /** The same by the token that was shown; without one, by an empty text. */
  readonly sentTo = new Map<string, number>()
  /** Answers that wait to be released. */
  stalled = 0
  #released = Promise.withResolvers<void>()
  readonly #init: TestHubInit
  readonly #server: Server

  private constructor(init: TestHubInit, server: Server, port: number) {
    this.#init = init
    this.#server = server
    this.commit = init.commit ?? 'c0'.repeat(20)
    this.revisions = { main: this.commit }
    this.url = `http://127.0.0.1:${port}`
  }

  static async start(init: TestHubInit): Promise<TestHub> {
    const server = createServer()
    await new Promise<void>(resolve => server.listen(init.port ?? 0, '127.0.0.1', resolve))
    const hub = new TestHub(init, server, (server.address() as AddressInfo).port)
    server.on('request', (request, response) => void hub.#answer(request, response))
    return hub
  }

  /** Lets stalled answers go on, and stalls none any more. */
  release(): void {
    delete this.faults.stallAfter
    this.#released.resolve()
    this.#released = Promise.withResolvers()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise(resolve => this.#server.close(resolve))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { repository, files, token } = this.#init
    const { pathname } = new URL(request.url ?? '/', this.url)
    const listing = `/api/models/${repository}/revision/`
    if (pathname.startsWith(listing)) {
      this.#answerListing(decodeURIComponent(pathname.slice(listing.length)), response)
      return
    }
    const [, path = ''] = new RegExp(`^/${repository}/resolve/(?:main|[0-9a-f]{40})/(.+)$`).exec(pathname) ?? []
    const file = files[decodeURIComponent(path)]
    if (file === undefined) {
      response.writeHead(404, {
        'x-error-code': pathname.startsWith(`/${repository}`) ? 'EntryNotFound' : 'RepoNotFound'
      })
      response.end()
      return
    }
    const shown = request.headers.authorization
    if (token !== undefined && shown !== `Bearer ${token}`) {
      response.writeHead(401, { 'x-error-code': 'GatedRepo' }).end()
      return
    }
    await this.#sendFile(path, file, request, response)
  }

  #answerListing(revision: string, response: ServerResponse): void {
    const sha = this.revisions[revision] ?? Object.values(this.revisions).find(commit => commit === revision)
    if (sha === undefined) {
      response.writeHead(404, { 'x-error-code': 'RevisionNotFound' }).end()
      return
    }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ id: this.#init.repository, sha, siblings: this.#siblings() }))
  }

  #siblings(): object[] {
    return Object.entries(this.#init.files).map(([rfilename, { bytes, sha256 }]) => ({
      rfilename,
      size: bytes,
      blobId: '0'.repeat(40),
      lfs: { sha256, size: bytes, pointerSize: 134 }
    }))
  }

  async #sendFile(path: string, file: ServedFile, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { faults } = this
    const status = faults.statuses?.shift()
    if (status !== undefined) {
      response.writeHead(status, { 'retry-after': '0' }).end()
      return
    }
    const changed = /\.(safetensors|gguf)$/.test(path) ? faults.changedTo : undefined
    const { pathname } = new URL(request.url ?? '/', this.url)
    const known = Object.values(this.revisions).find(commit => pathname.includes(`/${commit}/`))
    response.setHeader('x-repo-commit', known ?? this.commit)
    response.setHeader('x-linked-etag', `"${changed ?? file.sha256}"`)
    if (faults.redirectTo !== undefined) {
      response.writeHead(302, { location: faults.redirectTo }).end()
      return
    }
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
    const ranged = first !== undefined && faults.ignoreRanges !== true
    const from = ranged ? Number(first) : 0
    const end = ranged ? Math.min(Number(last) + 1, file.bytes) : file.bytes
    this.requests.push({ path, from, bytes: end - from, withToken: request.headers.authorization !== undefined })
    response.setHeader('content-length', end - from)
    if (ranged) response.setHeader('content-range', `bytes ${from}-${end - 1}/${file.bytes}`)
    response.writeHead(ranged ? 206 : 200)
    await this.#sendBytes(file, from, end, response, (request.headers.authorization ?? '').replace('Bearer ', ''))
  }

  async #sendBytes(
    file: ServedFile,
    from: number,
    end: number,
    response: ServerResponse,
    token: string
  ): Promise<void> {
    const breakAt = from + (this.faults.breakAfter?.shift() ?? Number.POSITIVE_INFINITY)
    for (let at = from; at < end && !response.destroyed; ) {
      const { stallAfter } = this.faults
      if (stallAfter !== undefined && at - from >= stallAfter) {
        this.stalled += 1
        await this.#released.promise
      }
      const length = Math.min(CHUNK_BYTES, end - at, breakAt - at, stallAfter ?? CHUNK_BYTES)
      this.bytesSent += length
      this.sentTo.set(token, (this.sentTo.get(token) ?? 0) + length)
      const room = response.write(file.read(at, length))
      at += length
      if (at >= breakAt) {
        // what was written goes out before the connection does
        setImmediate(() => response.destroy())
        return
      }
      if (!room) await roomOrEnd(response)
    }
    response.end()
  }
}

function roomOrEnd(response: ServerResponse): Promise<void> {
  return new Promise(resolve => {
    const over = (): void => {
      response.off('drain', over).off('close', over)
      resolve()
    }
    response.on('drain', over).on('close', over)
  })
}
