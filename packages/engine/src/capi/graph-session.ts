import { MeshError } from '@resultity/interface'
import { callAsync } from '@resultity/memory'
import type { Spinning } from '../spinning.ts'
import { threadAffinities, usableCpus } from '../thread-affinity.ts'
import { CallingThreads } from './calling-threads.ts'
import { NativeHandle } from './native-handle.ts'
import type { Pointer, Status } from './ort-api.ts'
import { check, obtain, type Runtime } from './runtime.ts'

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
}

/** A graph loaded by the runtime, its weights packed for this CPU. */
export class GraphSession implements Disposable {
  readonly handle: NativeHandle
  /** Its runs are called on these. */
  readonly callers: CallingThreads

  private constructor(handle: NativeHandle, callers: CallingThreads) {
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
    const callers = await CallingThreads.of()
    using placed = new DisposableStack()
    placed.use(callers.graph(threadAffinities(init.threads, usableCpus()) !== undefined))
    const options = createOptions(runtime, init)
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

function createOptions(runtime: Runtime, init: GraphSessionInit): Pointer {
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

/** Entries of onnxruntime_session_options_config_keys.h. */
export function sessionEntries({
  threads,
  spinning,
  folder
}: Pick<GraphSessionInit, 'threads' | 'spinning' | 'folder'>): Readonly<Record<string, string>> {
  const affinities = threadAffinities(threads, usableCpus())
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
