import { MeshError } from '@resultity/interface'
import { callAsync } from '@resultity/native-call'
import { type CallerPlacement, type ProcessTuning, untuned } from '@resultity/runtime-tuning'
import { NativeHandle } from './native-handle.ts'
import type { Pointer, Status } from './ort-api.ts'
import { check, obtain, type Runtime } from './runtime.ts'
import type { Spinning } from './spinning.ts'

/** `ORT_ENABLE_ALL` of the header. */
const OPTIMIZE_ALL = 99

export interface GraphSessionInit {
  /** A serialized ONNX model. */
  readonly graph: Uint8Array
  /** Where the weight files lie that the graph names; it has all in itself where there is none. */
  readonly folder?: string
  /** Threads of one operator, the calling one included. */
  readonly threads: number
  readonly spinning: Spinning
  /** Default: none. */
  readonly tuning?: ProcessTuning
}

/** A graph loaded by the runtime, its weights packed for this CPU. */
export class GraphSession implements Disposable {
  readonly handle: NativeHandle
  /** Of the threads that its runs are called on. */
  readonly callers: CallerPlacement

  private constructor(handle: NativeHandle, callers: CallerPlacement) {
    this.handle = handle
    this.callers = callers
  }

  /**
   * Loads and optimizes a graph off the event loop.
   *
   * @throws MeshError `engine_failed` with the runtime's message
   */
  static async load(runtime: Runtime, init: GraphSessionInit): Promise<GraphSession> {
    const { api, env } = runtime
    const { tuning = untuned } = init
    const affinities = tuning.threadAffinities(init.threads)
    const callers = await tuning.callers()
    using placed = new DisposableStack()
    placed.use(callers.graph(affinities !== undefined))
    const options = createOptions(runtime, { ...init, affinities })
    const out = new BigUint64Array(1)
    const { promise, resolve, reject } = Promise.withResolvers<Status>()
    const { graph } = init
    callAsync(api.createSessionFromArray, [env, graph, graph.byteLength, options, out], (error, status) => {
      if (error === null) resolve(status ?? null)
      else reject(MeshError.from(error, 'engine_failed'))
    })
    try {
      check(api, 'load the graph', await promise)
    } finally {
      api.releaseSessionOptions(options)
    }
    const [pointer = 0n] = out
    const placement = placed.move()
    const handle = new NativeHandle(pointer, () => {
      api.releaseSession(pointer)
      placement[Symbol.dispose]()
    })
    return new GraphSession(handle, callers)
  }

  /** The weights go when the last binding has gone. */
  [Symbol.dispose](): void {
    this.handle[Symbol.dispose]()
  }
}

function createOptions(runtime: Runtime, init: SessionSettings): Pointer {
  const { api } = runtime
  const options = obtain(api, 'create session options', out => api.createSessionOptions(out))
  try {
    check(api, 'set the optimization level', api.setSessionGraphOptimizationLevel(options, OPTIMIZE_ALL))
    check(api, 'set the number of threads', api.setIntraOpNumThreads(options, init.threads))
    check(api, 'set the number of threads', api.setInterOpNumThreads(options, 1))
    for (const [key, value] of Object.entries(sessionEntries(init))) {
      check(api, `set ${key}`, api.addSessionConfigEntry(options, key, value))
    }
    return options
  } catch (error) {
    api.releaseSessionOptions(options)
    throw error
  }
}

/** What the runtime's options say of a session. */
export interface SessionSettings extends Pick<GraphSessionInit, 'threads' | 'spinning' | 'folder'> {
  /** CPUs of the threads that help the calling one; undefined: any. */
  readonly affinities: string | undefined
}

/** Entries of onnxruntime_session_options_config_keys.h. */
export function sessionEntries({ spinning, folder, affinities }: SessionSettings): Readonly<Record<string, string>> {
  return {
    ...(folder === undefined ? {} : { 'session.model_external_initializers_file_folder_path': folder }),
    ...(affinities === undefined ? {} : { 'session.intra_op_thread_affinities': affinities }),
    'session.intra_op.allow_spinning': spinning === false ? '0' : '1',
    // with it, threads spin between the operators of a run but sleep between runs
    'session.force_spinning_stop': spinning === 'run' ? '1' : '0',
    // packed weights come straight from the system's allocator: the arena would round each up to a power of two
    'session.use_device_allocator_for_initializers': '1',
    // a denormal costs over a hundred cycles and is zero for any purpose of ours
    'session.set_denormal_as_zero': '1'
  }
}
