import { MeshError } from '@resultity/interface'
import { type SessionFence, sessionKey } from '@resultity/wire'

/** Requests that are remembered; the one seen longest ago is forgotten. An attempt that sleeps that long has no lease any more. */
const FENCES_MAX = 4096

/** The highest term of each request that has come to this node. */
export class SessionFences {
  readonly #terms = new Map<string, number>()

  /** Takes note of the term. @throws MeshError `session_fenced` when a higher one has come */
  admit({ key, term }: SessionFence): void {
    const fence = sessionKey(key)
    const highest = this.#terms.get(fence) ?? 0
    if (term < highest) throw fenced(term, highest)
    this.#terms.delete(fence)
    this.#terms.set(fence, term)
    const [oldest] = this.#terms.keys()
    if (this.#terms.size > FENCES_MAX && oldest !== undefined) this.#terms.delete(oldest)
  }
}

/** Whether `one` is of an earlier attempt at the same request than `other`. */
export function isFencedBy(one: SessionFence | undefined, other: SessionFence): boolean {
  return one !== undefined && one.term < other.term && sessionKey(one.key) === sessionKey(other.key)
}

export function fenced(term: number, by: number): MeshError {
  return new MeshError('session_fenced', `attempt ${term} of this request is over: attempt ${by} is being made`, {
    hint: 'the coordinator was held up for longer than its lease; look at its load, and at its disk'
  })
}
