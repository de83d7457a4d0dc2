import { type AbortOptions, MeshError, SENTENCE_SAMPLES_MAX } from '@resultity/interface'
import { type InferenceSession, Tensor } from 'onnxruntime-node'
import type { EngineContext } from '../engine-context.ts'
import { readVoiceGraph, Voice, type VoiceInit, type VoiceInputs, type VoiceSession } from '../voice.ts'
import { createNodeSession } from './node-runtime.ts'

/** A voice's graph on onnxruntime-node's own API. */
class NodeVoiceSession implements VoiceSession {
  readonly #session: InferenceSession

  constructor(session: InferenceSession) {
    this.#session = session
  }

  async run({ ids, scales, speaker }: VoiceInputs): Promise<Float32Array> {
    const results = await this.#session.run({
      input: new Tensor('int64', ids, [1, ids.length]),
      input_lengths: new Tensor('int64', BigInt64Array.of(BigInt(ids.length)), [1]),
      scales: new Tensor('float32', scales, [scales.length]),
      ...(speaker === undefined ? {} : { sid: new Tensor('int64', BigInt64Array.of(BigInt(speaker)), [1]) })
    })
    const data = results.output?.data
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
  const bytes = await readVoiceGraph(init)
  try {
    return new Voice(
      init.manifest,
      new NodeVoiceSession(await createNodeSession({ graph: { bytes } }, init, tuning)),
      gate
    )
  } catch (error) {
    throw MeshError.from(error, 'engine_failed')
  }
}
