import { setTimeout as delay } from 'node:timers/promises'

/** Keeps a broken build from hanging. What is waited for takes moments, and minutes on a busy machine. */
const HOLDS_WITHIN_MS = 300_000

/** Polls until `holds`. */
export async function eventually<T>(
  what: string,
  read: () => Promise<T>,
  holds: (value: T) => boolean,
  withinMs = HOLDS_WITHIN_MS
): Promise<T> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const value = await read()
    if (holds(value)) return value
    if (performance.now() > deadline) {
      throw new Error(`${what}: not within ${withinMs / 1000} s; last seen ${JSON.stringify(value)}`)
    }
    await delay(50)
  }
}
