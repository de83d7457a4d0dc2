import { MeshError } from '@resultity/interface'
import { callAsync } from '@resultity/native-call'
import type { GraphSession } from './graph-session.ts'
import { NativeHandle } from './native-handle.ts'
import type { Pointer } from './ort-api.ts'
import { check, obtain, type Runtime } from './runtime.ts'
import { takeOnlyOutput } from './taken-output.ts'
import type { NativeTensor } from './tensor.ts'

/**
 * Inputs and outputs of a session, bound to tensors; each run reads and writes their memory.
 *
 * Keeps its session and every bound tensor from being freed, and a run keeps it.
 */
export class Binding implements Disposable {
  readonly #runtime: Runtime
  readonly #session: NativeHandle
  readonly #handle: NativeHandle
  /** By the name of the edge: what is bound anew lets go of what was. */
  readonly #inputs = new Map<string, NativeTensor>()
  readonly #outputs = new Map<string, NativeTensor>()

  constructor(runtime: Runtime, session: GraphSession) {
    const { api } = runtime
    this.#runtime = runtime
    this.#session = session.handle
    const pointer = obtain(api, 'create a binding', out => api.createIoBinding(session.handle.pointer, out))
    this.#session.retain()
    this.#handle = new NativeHandle(pointer, () => {
      api.releaseIoBinding(pointer)
      for (const tensor of [...this.#inputs.values(), ...this.#outputs.values()]) tensor.handle.release()
      this.#session.release()
    })
  }

  /** Not while a run is under way. */
  input(name: string, tensor: NativeTensor): void {
    const { api } = this.#runtime
    check(api, `bind input "${name}"`, api.bindInput(this.#handle.pointer, name, tensor.handle.pointer))
    replaceBound(this.#inputs, name, tensor)
  }

  /** Not while a run is under way. */
  output(name: string, tensor: NativeTensor): void {
    const { api } = this.#runtime
    check(api, `bind output "${name}"`, api.bindOutput(this.#handle.pointer, name, tensor.handle.pointer))
    replaceBound(this.#outputs, name, tensor)
  }

  /** Has the runtime allocate the only output, for {@link takeOutput}: nobody knows its size before. Not while a run is under way. */
  outputOfAnySize(name: string): void {
    const { api, cpuMemory } = this.#runtime
    check(api, `bind output "${name}"`, api.bindOutputToDevice(this.#handle.pointer, name, cpuMemory))
  }

  /**
   * The output of the last run that {@link outputOfAnySize} was called for.
   *
   * @param lengthMax numbers that it may have
   * @returns f32, a copy of its own
   * @throws MeshError `engine_failed` where it is no f32, or has more
   */
  takeOutput(lengthMax: number): Float32Array<ArrayBuffer> {
    return takeOnlyOutput(this.#runtime, this.#handle.pointer, lengthMax)
  }

  /**
   * Runs the session off the event loop and then calls `done`, with the error if it failed. A callback and not a
   * promise: this is the path of every token.
   */
  run(options: RunOptions, done: (error: MeshError | undefined) => void): void {
    const { api } = this.#runtime
    const { pointer } = this.#handle
    this.#handle.retain()
    options.handle.retain()
    const end = (thrown: unknown, status: Pointer | null | undefined): void => {
      let failure: MeshError | undefined
      try {
        if (thrown === null) check(api, 'run the graph', status ?? null)
        else failure = MeshError.from(thrown, 'engine_failed')
      } catch (error) {
        failure = MeshError.from(error, 'engine_failed')
      }
      options.handle.release()
      this.#handle.release()
      done(failure)
    }
    callAsync(api.runWithBinding, [this.#session.pointer, options.handle.pointer, pointer], end, [this, options])
  }

  /** What it holds goes when the last run is over. */
  [Symbol.dispose](): void {
    this.#handle[Symbol.dispose]()
  }
}

function replaceBound(bound: Map<string, NativeTensor>, name: string, tensor: NativeTensor): void {
  tensor.handle.retain()
  bound.get(name)?.handle.release()
  bound.set(name, tensor)
}

/** Through these a run that is under way can be told to stop. */
export class RunOptions implements Disposable {
  readonly handle: NativeHandle
  readonly #runtime: Runtime

  /** @param entries of onnxruntime_run_options_config_keys.h */
  constructor(runtime: Runtime, entries: Readonly<Record<string, string>> = {}) {
    const { api } = runtime
    this.#runtime = runtime
    const pointer = obtain(api, 'create run options', out => api.createRunOptions(out))
    this.handle = new NativeHandle(pointer, () => api.releaseRunOptions(pointer))
    using creating = new DisposableStack()
    creating.use(this.handle)
    for (const [key, value] of Object.entries(entries)) {
      check(api, `set ${key}`, api.addRunConfigEntry(pointer, key, value))
    }
    creating.move()
  }

  /** Runs with these options break off before their next operator, and so does every later one until `allow`. */
  terminate(): void {
    check(this.#runtime.api, 'stop a run', this.#runtime.api.runOptionsSetTerminate(this.handle.pointer))
  }

  allow(): void {
    check(this.#runtime.api, 'allow runs again', this.#runtime.api.runOptionsUnsetTerminate(this.handle.pointer))
  }

  [Symbol.dispose](): void {
    this.handle[Symbol.dispose]()
  }
}
