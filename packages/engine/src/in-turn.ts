import type { WorkClass } from '@resultity/interface'
import type { RunQueue } from './run-queue.ts'

/**
 * Does `work` when it is its turn, and lets the next begin once that is over.
 *
 * @throws the reason of `signal` when it aborts before the turn has come; what `work` throws
 */
export async function inTurn<T>(
  queue: RunQueue,
  signal: AbortSignal,
  workClass: WorkClass | undefined,
  work: () => Promise<T>
): Promise<T> {
  await turn(queue, signal, workClass)
  try {
    signal.throwIfAborted()
    return await work()
  } finally {
    queue.leave()
  }
}

function turn(queue: RunQueue, signal: AbortSignal, workClass: WorkClass | undefined): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const onAbort = (): void => {
    if (queue.withdraw(start)) reject(signal.reason)
  }
  const start = (): void => {
    signal.removeEventListener('abort', onAbort)
    resolve()
  }
  if (signal.aborted) reject(signal.reason)
  else {
    signal.addEventListener('abort', onAbort, { once: true })
    queue.enter(start, workClass)
  }
  return promise
}
