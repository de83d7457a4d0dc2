import { MeshError } from '@resultity/interface'
import type { Pointer } from './ort-api.ts'
import { check, obtain, type Runtime } from './runtime.ts'
import type { NativeTensor } from './tensor.ts'

/**
 * Inputs and outputs of a session, bound to tensors once; each run reads and writes their memory.
 *
 * Keeps every bound tensor referenced.
 */
export class Binding implements Disposable {
  readonly #runtime: Runtime
  readonly #session: Pointer
  readonly #pointer: Pointer
  readonly #bound: NativeTensor[] = []
  #released = false

  constructor(runtime: Runtime, session: Pointer) {
    this.#runtime = runtime
    this.#session = session
    this.#pointer = obtain(runtime.api, 'create a binding', out => runtime.api.createIoBinding(session, out))
  }

  input(name: string, tensor: NativeTensor): void {
    const { api } = this.#runtime
    check(api, `bind input "${name}"`, api.bindInput(this.#pointer, name, tensor.pointer))
    this.#bound.push(tensor)
  }

  output(name: string, tensor: NativeTensor): void {
    const { api } = this.#runtime
    check(api, `bind output "${name}"`, api.bindOutput(this.#pointer, name, tensor.pointer))
    this.#bound.push(tensor)
  }

  /**
   * Runs the session off the event loop and then calls `done`, with the error if it failed. A callback and not a
   * promise: this is the path of every token.
   */
  run(options: RunOptions, done: (error: MeshError | undefined) => void): void {
    const { api } = this.#runtime
    api.runWithBinding.async(this.#session, options.pointer, this.#pointer, (thrown, status) => {
      if (thrown === null && status === null) return done(undefined)
      try {
        check(api, 'run the graph', status)
        done(MeshError.from(thrown, 'engine_failed'))
      } catch (error) {
        done(MeshError.from(error, 'engine_failed'))
      }
    })
  }

  [Symbol.dispose](): void {
    if (this.#released) return
    this.#released = true
    this.#runtime.api.releaseIoBinding(this.#pointer)
    this.#bound.length = 0
  }
}

/** Through these a run that is under way can be told to stop. */
export class RunOptions implements Disposable {
  readonly pointer: Pointer
  readonly #runtime: Runtime
  #released = false

  /** @param entries of onnxruntime_run_options_config_keys.h */
  constructor(runtime: Runtime, entries: Readonly<Record<string, string>> = {}) {
    const { api } = runtime
    this.#runtime = runtime
    this.pointer = obtain(api, 'create run options', out => api.createRunOptions(out))
    for (const [key, value] of Object.entries(entries)) {
      check(api, `set ${key}`, api.addRunConfigEntry(this.pointer, key, value))
    }
  }

  /** Runs with these options break off before their next operator, and so does every later one until `allow`. */
  terminate(): void {
    check(this.#runtime.api, 'stop a run', this.#runtime.api.runOptionsSetTerminate(this.pointer))
  }

  allow(): void {
    check(this.#runtime.api, 'allow runs again', this.#runtime.api.runOptionsUnsetTerminate(this.pointer))
  }

  [Symbol.dispose](): void {
    if (this.#released) return
    this.#released = true
    this.#runtime.api.releaseRunOptions(this.pointer)
  }
}
