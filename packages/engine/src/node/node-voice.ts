import { type AbortOptions, MeshError, SENTENCE_SAMPLES_MAX } from '@resultity/interface'
import type { VoiceRun } from '@resultity/voice'
import { type InferenceSession, Tensor } from 'onnxruntime-node'
import type { EngineContext } from '../engine-context.ts'
import { readVoiceFiles, Voice, type VoiceInit, type VoiceSession } from '../voice.ts'
import { createNodeSession } from './node-runtime.ts'

/** A voice's graph on onnxruntime-node's own API. */
class NodeVoiceSession implements VoiceSession {
  readonly #session: InferenceSession

  constructor(session: InferenceSession) {
    this.#session = session
  }

  async run({ inputs, output }: VoiceRun): Promise<Float32Array> {
    const results = await this.#session.run(
      Object.fromEntries(
        Object.entries(inputs).map(([name, { data, shape }]) => {
          const type = data instanceof Float32Array ? 'float32' : 'int64'
          return [name, new Tensor(type, data, [...shape])]
        })
      )
    )
    const data = results[output]?.data
    if (data instanceof Float32Array && data.length <= SENTENCE_SAMPLES_MAX) return data
    throw new MeshError('engine_failed', 'the voice gave no f32 output, or too much')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session.release()
  }
}

/** @throws MeshError `engine_failed`; the reason of `signal` */
export async function loadNodeVoice(
  init: VoiceInit,
  { gate, tuning }: EngineContext,
  options: AbortOptions = {}
): Promise<Voice> {
  options.signal?.throwIfAborted()
  const { graph: bytes, styles } = await readVoiceFiles(init)
  try {
    return new Voice(
      init.manifest,
      styles,
      new NodeVoiceSession(await createNodeSession({ graph: { bytes } }, init, tuning)),
      gate
    )
  } catch (error) {
    throw MeshError.from(error, 'engine_failed')
  }
}
