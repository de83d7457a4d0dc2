import type fc from 'fast-check'
import type { Scale } from './scale.ts'

export type Header = readonly [name: string, value: string]

/** One HTTP request, or bytes that are none. */
export interface HostileRequest {
  readonly method: string
  /** With its query, as it goes over the wire. */
  readonly path: string
  readonly headers: readonly Header[]
  readonly body?: Uint8Array | string | undefined
  /** Sent as they are instead of all of the above. */
  readonly raw?: Uint8Array | undefined
}

/**
 * How a client behaves while it sends and reads.
 *
 * - `plain`      sends all, reads all
 * - `cut`        sends so much of its body, waits, and is gone
 * - `hang-up`    sends all and is gone so much later
 * - `slow-send`  sends its body in pieces
 * - `slow-read`  takes its answer in pieces
 */
export type Manner =
  | { readonly kind: 'plain' }
  | { readonly kind: 'cut'; readonly share: number; readonly waitMs: number }
  | { readonly kind: 'hang-up'; readonly afterMs: number }
  | { readonly kind: 'slow-send'; readonly pieces: number; readonly pauseMs: number }
  | { readonly kind: 'slow-read'; readonly pauseMs: number }

export interface HostileCase {
  /** Name of the {@link Idea} that it came from. */
  readonly idea: string
  readonly request: HostileRequest
  readonly manner: Manner
}

/** A case without its idea's name; a client behaves plainly unless it says how. */
export type Draft = Omit<HostileCase, 'idea' | 'manner'> & { readonly manner?: Manner }

/** One kind of attack. */
export interface Idea {
  readonly name: string
  /** How often it is drawn, against the others. */
  readonly weight: number
  readonly drafts: (scale: Scale) => fc.Arbitrary<Draft>
}

const JSON_TYPE: Header = ['content-type', 'application/json']

/** A request with a JSON body. */
export function post(path: string, body: unknown, headers: readonly Header[] = []): Draft {
  return { request: { method: 'POST', path, headers: [JSON_TYPE, ...headers], body: JSON.stringify(body) } }
}

export function get(path: string, headers: readonly Header[] = [], method = 'GET'): Draft {
  return { request: { method, path, headers } }
}

/** Names of what the mesh serves, for cases that should get past the first check. */
export const SERVED = { chat: 'tiny-chat', encoder: 'tiny-encoder' }
