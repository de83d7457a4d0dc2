import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Work } from './crash-works.ts'
import { eventually } from './mesh-state.ts'

/** Where to ask: the coordinator's address stays the same while its process does not. */
export interface Target {
  readonly url: string
}

/** What the coordinator has acknowledged: it must end, whatever happens. */
export interface Taken {
  readonly work: Work
  /** Undefined for what has no log of its own. */
  readonly jobId: string | undefined
  /** The pieces that the client was sent, by choice, where it followed; every one once. */
  followed(): Promise<ReadonlyMap<number, string> | undefined>
  /** Resolves once it has ended. `target`: whom to ask; a coordinator that was taken over from answers no more. */
  answer(target: Target): Promise<Record<string, unknown>>
}

/** Two hundred requests on a busy machine, and leases that have to run out. */
const ENDED_WITHIN_MS = 10 * 60_000

/** Sends until something answers. Whether an attempt without an answer was taken nobody knows; a key makes that safe. */
async function persist(target: Target, path: string, init: RequestInit = {}): Promise<Response> {
  for (;;) {
    try {
      const response = await fetch(`${target.url}${path}`, init)
      if (response.status !== 503) return response
      await response.body?.cancel()
    } catch (error) {
      // the connection was refused, or broke
      if (!(error instanceof TypeError)) throw error
    }
    await delay(50)
  }
}

async function readJson(target: Target, path: string, init: RequestInit = {}): Promise<Record<string, unknown>> {
  for (;;) {
    const response = await persist(target, path, init)
    const text = await response.text().catch(() => undefined)
    if (text === undefined) continue
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`)
    return JSON.parse(text)
  }
}

function post(body: object, headers: Readonly<Record<string, string>> = {}): RequestInit {
  const all = { 'content-type': 'application/json', 'idempotency-key': randomUUID(), ...headers }
  return { method: 'POST', headers: all, body: JSON.stringify(body) }
}

/** Resolves once the coordinator has acknowledged it. */
export async function submit(target: Target, work: Work): Promise<Taken> {
  switch (work.way) {
    case 'async':
      return await submitAsync(target, work)
    case 'stream':
      return await submitStream(target, work)
    case 'background':
      return await submitBackground(target, work)
    case 'file':
      return await submitFile(target, work)
  }
}

async function submitAsync(target: Target, work: Work): Promise<Taken> {
  const { id } = await readJson(target, work.path, post(work.body, { prefer: 'respond-async' }))
  const jobId = String(id)
  return { work, jobId, followed: async () => undefined, answer: other => resultOf(other, jobId) }
}

async function submitBackground(target: Target, work: Work): Promise<Taken> {
  const { id } = await readJson(target, work.path, post({ ...work.body, background: true }))
  return {
    work,
    jobId: String(id).replace('resp_', 'req_'),
    followed: async () => undefined,
    answer: other => ended(other, `/v1/responses/${id}`, ['queued', 'in_progress'])
  }
}

async function submitFile(target: Target, work: Work): Promise<Taken> {
  const { requests } = work.body as { requests: readonly object[] }
  const form = new FormData()
  form.set('purpose', 'batch')
  form.set('file', new Blob([requests.map(request => `${JSON.stringify(request)}\n`).join('')]), 'batch.jsonl')
  const { id: fileId } = await readJson(target, '/v1/files', { method: 'POST', body: form })
  const batch = { input_file_id: fileId, endpoint: '/v1/chat/completions', completion_window: '24h' }
  const { id } = await readJson(target, work.path, post(batch))
  return {
    work,
    jobId: undefined,
    followed: async () => undefined,
    answer: async other => {
      const working = ['validating', 'in_progress', 'finalizing', 'cancelling']
      const { status, request_counts, output_file_id, error_file_id } = await ended(other, `/v1/batches/${id}`, working)
      const [output, errors] = [await linesOf(other, output_file_id), await linesOf(other, error_file_id)]
      return { status, request_counts, output, errors }
    }
  }
}

async function linesOf(target: Target, fileId: unknown): Promise<unknown[]> {
  if (typeof fileId !== 'string') return []
  const text = await (await persist(target, `/v1/files/${fileId}/content`)).text()
  return text
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
}

async function ended(target: Target, path: string, working: readonly string[]): Promise<Record<string, unknown>> {
  const isEnded = ({ status }: Record<string, unknown>): boolean => !working.includes(String(status))
  return await eventually(path, () => readJson(target, path), isEnded, ENDED_WITHIN_MS)
}

async function resultOf(target: Target, jobId: string): Promise<Record<string, unknown>> {
  await ended(target, `/v1/requests/${jobId}`, ['queued', 'running'])
  return await readJson(target, `/v1/requests/${jobId}/result`)
}

/** A stream is acknowledged by its headers. */
async function submitStream(target: Target, work: Work): Promise<Taken> {
  const response = await persist(target, work.path, post({ ...work.body, stream: true }))
  if (!response.ok) throw new Error(`${work.name}: ${response.status} ${await response.text()}`)
  const { headers } = response
  const jobId = String(headers.get('x-resultity-request-id') ?? headers.get('x-request-id'))
  const following = follow(target, jobId, response)
  // whoever asks is told; until then it may fail unheard
  following.catch(() => {})
  return { work, jobId, followed: () => following, answer: other => resultOf(other, jobId) }
}

/** Reads a stream to its end, going on in the log where a connection broke. */
async function follow(target: Target, jobId: string, first: Response): Promise<ReadonlyMap<number, string>> {
  const texts = new Map<number, string>()
  let last = 0
  const take = ({ id, data }: Block): void => {
    if (id !== undefined && id <= last) throw new Error(`${jobId}: entry ${id} came after entry ${last}`)
    last = id ?? last
    const { choices, ...entry } = data
    for (const piece of (choices as Piece[] | undefined) ?? [entry as Piece]) addPiece(texts, piece)
  }
  if (await readBlocks(first, block => block.end === 'stream', take)) return texts
  for (;;) {
    const response = await persist(target, `/v1/requests/${jobId}/events?after=${last}`)
    if (await readBlocks(response, block => block.end === 'log', take)) return texts
  }
}

interface Piece {
  readonly index?: number
  readonly delta?: { readonly content?: string }
  readonly text?: string
}

/** Adds to the text of a choice what an entry or a chunk says of it. */
export function addPiece(texts: Map<number, string>, { index, delta, text }: Piece): void {
  if (index === undefined) return
  texts.set(index, (texts.get(index) ?? '') + (delta?.content ?? text ?? ''))
}

/** One event of a stream. */
export interface Block {
  readonly id: number | undefined
  readonly type: string | undefined
  readonly data: Readonly<Record<string, unknown>>
  /** It is the last: of the endpoint's own stream, or of a log. */
  readonly end: 'stream' | 'log' | undefined
}

/** @returns whether its end was there; false when the connection broke before */
async function readBlocks(
  response: Response,
  isEnd: (block: Block) => boolean,
  take: (block: Block) => void
): Promise<boolean> {
  let rest = ''
  const decoder = new TextDecoder()
  const blocks = async function* () {
    for await (const bytes of response.body ?? []) yield decoder.decode(bytes, { stream: true })
  }
  const texts = blocks()
  for (;;) {
    const next = await texts.next().catch(() => undefined)
    if (next === undefined || next.done === true) return false
    const parts = `${rest}${next.value}`.split('\n\n')
    rest = parts.pop() ?? ''
    for (const part of parts) {
      if (part.startsWith(':')) continue
      const block = parseBlock(part)
      if (isEnd(block)) return true
      take(block)
    }
  }
}

const ENDS: ReadonlySet<string | undefined> = new Set(['succeeded', 'failed', 'cancelled', 'expired'])

function parseBlock(part: string): Block {
  const fields = new Map(part.split('\n').map(line => [line.slice(0, line.indexOf(':')), line.replace(/^\w+: ?/, '')]))
  const [id, type, data = '{}'] = [fields.get('id'), fields.get('event'), fields.get('data')]
  if (data === '[DONE]') return { id: undefined, type, data: {}, end: 'stream' }
  const number = id === undefined ? undefined : Number(id)
  return { id: number, type, data: JSON.parse(data), end: ENDS.has(type) ? 'log' : undefined }
}

/** The whole log of a job that has ended. */
export async function logOf(target: Target, jobId: string): Promise<Block[]> {
  const text = await (await persist(target, `/v1/requests/${jobId}/events`)).text()
  return text
    .split('\n\n')
    .filter(part => part !== '' && !part.startsWith(':'))
    .map(parseBlock)
}
