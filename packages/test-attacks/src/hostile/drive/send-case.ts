import { type Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { HostileCase, HostileRequest } from '../corpus/hostile-case.ts'

export interface SendTarget {
  /** Base URL of the API. */
  readonly url: string
  readonly apiKey: string
  readonly agent: Agent
}

/**
 * What came of a case.
 *
 * - `answered` there was an answer, whole
 * - `gone`     the client left by itself before that, as the case wants it or since it waited long enough
 * - `broken`   the server ended the connection without an answer
 */
export type Outcome =
  | { readonly kind: 'answered'; readonly status: number; readonly headers: Answer['headers']; readonly text: string }
  | { readonly kind: 'gone'; readonly reason: 'wanted' | 'late' }
  | { readonly kind: 'broken'; readonly reason: string }

interface Answer {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** Longer than a request waits for a slot by default. */
export const PATIENCE_MS = 40_000
/** A connection that no parser understands may stay open; so long is waited for what it says. */
const RAW_PATIENCE_MS = 2_000
/** Of an answer so much is kept to be looked at. */
const KEPT_CHARACTERS_MAX = 2 ** 20

/** Sends one case and waits for what comes of it. Never throws for what the server does. */
export async function sendCase({ request, manner }: HostileCase, target: SendTarget): Promise<Outcome> {
  if (request.raw !== undefined) return await sendRaw(request.raw, target)
  let outgoing: ClientRequest
  try {
    outgoing = httpRequest(`${target.url}/`, {
      agent: target.agent,
      method: request.method,
      path: request.path,
      headers: headersOf(request, target)
    })
  } catch {
    // what Node's own client refuses to write, others do write
    return await sendRaw(rawBytes(request, target), target)
  }
  const outcome = Promise.withResolvers<Outcome>()
  let left: 'wanted' | 'late' | undefined
  const leave = (why: 'wanted' | 'late') => {
    left ??= why
    outgoing.destroy()
    outcome.resolve({ kind: 'gone', reason: why })
  }
  const patience = setTimeout(() => leave('late'), PATIENCE_MS)
  outgoing.on('error', error => outcome.resolve(left === undefined ? broken(error) : { kind: 'gone', reason: left }))
  outgoing.on('response', response => {
    readAnswer(response, manner.kind === 'slow-read' ? manner.pauseMs : 0).then(outcome.resolve, error =>
      outcome.resolve(broken(error))
    )
  })
  void writeBody(outgoing, request.body, manner, () => leave('wanted'))
  try {
    return await outcome.promise
  } finally {
    clearTimeout(patience)
  }
}

function broken(error: unknown): Outcome {
  const { code, message } = error as NodeJS.ErrnoException
  return { kind: 'broken', reason: code ?? message }
}

/** Repeated names become lists. A case's own `authorization` replaces the client's. */
function headersOf({ headers, body }: HostileRequest, { apiKey }: SendTarget): Record<string, string | string[]> {
  const all: Record<string, string | string[]> = { authorization: `Bearer ${apiKey}` }
  for (const [name, value] of headers) {
    const before = Object.hasOwn(all, name) && name !== 'authorization' ? all[name] : undefined
    all[name] = before === undefined ? value : [before, value].flat()
  }
  if (body !== undefined) all['content-length'] = String(Buffer.byteLength(body))
  return all
}

async function writeBody(
  outgoing: ClientRequest,
  body: HostileRequest['body'],
  manner: HostileCase['manner'],
  leave: () => void
): Promise<void> {
  const bytes = Buffer.from((body ?? '') as string)
  switch (manner.kind) {
    case 'cut':
      outgoing.write(bytes.subarray(0, Math.floor(bytes.length * manner.share)))
      await delay(manner.waitMs)
      return leave()
    case 'slow-send': {
      const size = Math.max(1, Math.ceil(bytes.length / manner.pieces))
      for (let at = 0; at < bytes.length && !outgoing.destroyed; at += size) {
        outgoing.write(bytes.subarray(at, at + size))
        await delay(manner.pauseMs)
      }
      return void outgoing.end()
    }
    case 'hang-up':
      outgoing.end(bytes)
      await delay(manner.afterMs)
      return leave()
    default:
      outgoing.end(bytes)
  }
}

async function readAnswer(response: IncomingMessage, pauseMs: number): Promise<Outcome> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const piece of response) {
    if (text.length < KEPT_CHARACTERS_MAX) text += decoder.decode(piece, { stream: true })
    if (pauseMs > 0) await delay(pauseMs)
  }
  return { kind: 'answered', status: Number(response.statusCode), headers: response.headers, text }
}

/** The head as a client writes it that checks nothing, and the body. */
function rawBytes({ method, path, headers, body = '' }: HostileRequest, { url, apiKey }: SendTarget): Uint8Array {
  const bytes = Buffer.from(body as string)
  const all = [
    ['host', new URL(url).host],
    ['authorization', `Bearer ${apiKey}`],
    ['content-length', String(bytes.length)],
    ['connection', 'close'],
    ...headers
  ]
  const head = `${method} ${path} HTTP/1.1\r\n${all.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
  return Buffer.concat([Buffer.from(head), bytes])
}

/** Writes bytes, and reads until nothing more comes. Of several answers the first is looked at. */
function sendRaw(bytes: Uint8Array, { url }: SendTarget): Promise<Outcome> {
  const { hostname, port } = new URL(url)
  const { promise, resolve } = Promise.withResolvers<Outcome>()
  const socket = connect({ host: hostname, port: Number(port) })
  let text = ''
  const end = (reason: string): void => {
    socket.destroy()
    resolve(rawOutcome(text, reason))
  }
  socket.setTimeout(RAW_PATIENCE_MS, () => end('late'))
  socket.on('data', piece => {
    if (text.length < KEPT_CHARACTERS_MAX) text += piece.toString('utf8')
  })
  socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message))
  socket.on('close', () => end('closed'))
  socket.write(bytes)
  return promise
}

/** Of several answers, as pipelined requests get them, the first that is final. */
function rawOutcome(text: string, reason: string): Outcome {
  const answer = /HTTP\/1\.1 ([2-5]\d\d) .*?\r\n(.*?)\r\n\r\n/s.exec(text)
  if (answer === null) return reason === 'late' ? { kind: 'gone', reason } : { kind: 'broken', reason }
  const headers = Object.fromEntries(
    String(answer[2])
      .split('\r\n')
      .map(line => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()])
  )
  const rest = Buffer.from(text.slice(answer.index + answer[0].length))
  const body = rest.subarray(0, Number(headers['content-length'] ?? rest.length)).toString()
  return { kind: 'answered', status: Number(answer[1]), headers, text: body }
}
