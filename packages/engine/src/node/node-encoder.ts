import { type AbortOptions, MeshError } from '@resultity/interface'
import type { EncoderGraph } from '@resultity/model'
import { type InferenceSession, Tensor } from 'onnxruntime-node'
import { Encoder, type EncoderInit, type EncoderSession } from '../encoder.ts'
import type { EncoderInputs } from '../encoder-batches.ts'
import type { EngineContext } from '../engine-context.ts'
import { GraphSource } from '../graph-source.ts'
import { createNodeSession } from './node-runtime.ts'

/** An encoder's graph on onnxruntime-node's own API. */
class NodeEncoderSession implements EncoderSession {
  readonly #source: GraphSource<EncoderGraph>
  readonly #session: InferenceSession

  constructor(source: GraphSource<EncoderGraph>, session: InferenceSession) {
    this.#source = source
    this.#session = session
  }

  async run(inputs: EncoderInputs): Promise<Float32Array> {
    const { graph } = this.#source
    const { count, width } = inputs
    const results = await this.#session.run({
      [graph.tokens]: new Tensor('int32', inputs.tokens, [count, width]),
      [graph.types]: new Tensor('int32', inputs.types, [count, width]),
      [graph.lengths]: new Tensor('int32', inputs.lengths, [count]),
      [graph.shares]: new Tensor('float32', inputs.shares, [count, 1, width])
    })
    const data = results[graph.output]?.data
    if (data instanceof Float32Array) return data
    throw new MeshError('engine_failed', 'the encoder gave no f32 output')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session.release()
    await this.#source[Symbol.asyncDispose]()
  }
}

/** @throws MeshError `engine_failed`, `model_invalid`; the reason of `signal` */
export async function loadNodeEncoder(
  init: EncoderInit,
  { gate, tuning }: EngineContext,
  options: AbortOptions = {}
): Promise<Encoder> {
  options.signal?.throwIfAborted()
  const source = await GraphSource.forEncoder(init)
  try {
    const session = await createNodeSession(source, init, tuning)
    return new Encoder(init.manifest, new NodeEncoderSession(source, session), gate)
  } catch (error) {
    await source[Symbol.asyncDispose]()
    throw MeshError.from(error, 'engine_failed')
  }
}
