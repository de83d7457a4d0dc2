import { type Binding, RunOptions } from './binding.ts'
import type { Runtime } from './runtime.ts'

/**
 * Runs what is bound, off the event loop.
 *
 * @param entries of onnxruntime_run_options_config_keys.h, for this run
 * @throws MeshError `engine_failed`; the reason of `signal`, once the runtime has left the memory
 */
export async function runBound(
  runtime: Runtime,
  binding: Binding,
  signal: AbortSignal | undefined,
  entries: Readonly<Record<string, string>> = {}
): Promise<void> {
  using options = new RunOptions(runtime, entries)
  const onAbort = (): void => options.terminate()
  signal?.addEventListener('abort', onAbort, { once: true })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  binding.run(options, error => (error === undefined ? resolve() : reject(error)))
  try {
    await promise
  } catch (error) {
    throw signal?.aborted === true ? signal.reason : error
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
  signal?.throwIfAborted()
}
