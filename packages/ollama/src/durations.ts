import type { Job } from '@resultity/store'

/** Milliseconds as Ollama has times: in nanoseconds. */
export function nanoseconds(ms: number): number {
  return Math.round(Math.max(0, ms) * 1e6)
}

/** How long a request waited for its place. */
export function waitedMs({ createdAtMs, startedAtMs }: Job): number {
  return Math.max(0, (startedAtMs ?? createdAtMs) - createdAtMs)
}
