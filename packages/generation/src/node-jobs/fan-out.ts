import { MeshError } from '@resultity/interface'

export interface FanOutInit {
  /** Parts of the work. */
  readonly count: number
  /** How many parts may be at work at once, as things are; one always may. */
  atOnce(): number
  /** Hears when that may have changed. @returns stops listening */
  onChange(listener: () => void): () => void
  readonly signal?: AbortSignal | undefined
}

/**
 * Does parts of one work at the same time, and gives their results in order. The first failure ends all others, and so
 * does leaving the loop.
 *
 * @throws what the first part throws that fails; the reason of the signal
 */
export async function* fanOut<T>(
  { count, atOnce, onChange, signal }: FanOutInit,
  work: (index: number, signal: AbortSignal) => Promise<T>
): AsyncGenerator<T> {
  const stop = new AbortController()
  const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal])
  const results = Array.from({ length: count }, () => Promise.withResolvers<T>())
  // one that fails before it is asked for is heard when it is
  for (const { promise } of results) promise.catch(() => {})
  const running = new Set<Promise<void>>()
  let next = 0
  const fail = (error: unknown): void => {
    stop.abort(error)
    for (const { reject } of results) reject(error)
  }
  const begin = (): void => {
    while (next < count && running.size < Math.max(1, atOnce()) && !either.aborted) {
      const index = next++
      const part: Promise<void> = work(index, either)
        .then(result => results[index]?.resolve(result), fail)
        .finally(() => {
          running.delete(part)
          begin()
        })
      running.add(part)
    }
  }
  const stopListening = onChange(begin)
  try {
    begin()
    signal?.throwIfAborted()
    for (const { promise } of results) yield await promise
  } finally {
    stopListening()
    stop.abort(new MeshError('canceled', 'the rest of the work is not needed any more'))
    await Promise.allSettled(running)
  }
}
