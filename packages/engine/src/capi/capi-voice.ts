import { type AbortOptions, SENTENCE_SAMPLES_MAX } from '@resultity/interface'
import { Binding, GraphSession, getRuntime, NativeTensor, type Runtime, runBound } from '@resultity/onnx-runtime'
import type { VoiceRun } from '@resultity/voice'
import type { EngineContext } from '../engine-context.ts'
import { readVoiceFiles, Voice, type VoiceInit, type VoiceSession } from '../voice.ts'

/** What a long sentence took goes back to the system after it: the next may be short, or never come. */
const RUN_ENTRIES = { 'memory.enable_memory_arena_shrinkage': 'cpu:0' }

/** A voice's graph on ONNX Runtime's C API. The runtime allocates the samples: how many they are is not known before. */
class CapiVoiceSession implements VoiceSession {
  readonly #runtime: Runtime
  readonly #session: GraphSession

  constructor(runtime: Runtime, session: GraphSession) {
    this.#runtime = runtime
    this.#session = session
  }

  async run({ inputs, output }: VoiceRun, { signal }: AbortOptions): Promise<Float32Array> {
    const runtime = this.#runtime
    using memory = new DisposableStack()
    memory.use(this.#session.callers.work())
    const binding = memory.use(new Binding(runtime, this.#session))
    for (const [name, { data, shape }] of Object.entries(inputs)) {
      binding.input(name, memory.use(new NativeTensor(runtime, data, shape)))
    }
    binding.outputOfAnySize(output)
    await runBound(runtime, binding, signal, RUN_ENTRIES)
    return binding.takeOutput(SENTENCE_SAMPLES_MAX)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#session[Symbol.dispose]()
  }
}

/** @throws MeshError `engine_failed`; the reason of `signal` */
export async function loadCapiVoice(
  init: VoiceInit,
  { gate, tuning }: EngineContext,
  options: AbortOptions = {}
): Promise<Voice> {
  options.signal?.throwIfAborted()
  const runtime = getRuntime()
  const { graph, styles } = await readVoiceFiles(init)
  options.signal?.throwIfAborted()
  const { threads, spinning, manifest } = init
  const session = await GraphSession.load(runtime, { graph, threads, spinning, tuning })
  await tuning.releaseFreedMemory()
  return new Voice(manifest, styles, new CapiVoiceSession(runtime, session), gate)
}
