import { checkDenoise, checkLatents, checkPixels, checkPrior, checkPrompt, UNSEEN } from '@resultity/diffusion-model'
import {
  allFinite,
  type DenoiseInput,
  type DiffusionConfig,
  type DiffusionModel,
  type EncodedPicture,
  type Latents,
  latentScale,
  MeshError,
  type Pixels,
  type Prior,
  type PriorInput,
  type PriorResult,
  type TextStates,
  type WorkOptions
} from '@resultity/interface'
import type { BatchGate } from './batch-gate.ts'
import { CallTurns } from './call-turns.ts'
import type { DiffusionGraphs, LoadedPart, RunInput, RunOutput } from './diffusion-graphs.ts'
import type { DiffusionInit } from './port.ts'

const COLOURS = 3

/** A whole model that draws pictures, over the graphs of some runtime: checks and turns. */
export class WholeDiffusionModel implements DiffusionModel {
  readonly config: DiffusionConfig
  readonly prior: Prior | undefined
  readonly #graphs: DiffusionGraphs
  readonly #turns: CallTurns

  constructor({ manifest }: Pick<DiffusionInit, 'manifest'>, graphs: DiffusionGraphs, gate: BatchGate) {
    this.config = manifest.config
    this.#graphs = graphs
    const { prior } = graphs
    this.prior = prior && {
      nothing: prior.nothing,
      imagine: (input, options = {}) => this.#imagine(prior, input, options)
    }
    this.#turns = new CallTurns(gate, 'the model that draws pictures')
  }

  /** The vector of a whole prompt is that of its first chunk: encoders are trained with no other. */
  async encodeText(prompt: readonly (readonly Uint32Array[])[], options: WorkOptions = {}): Promise<TextStates> {
    options.signal?.throwIfAborted()
    checkPrompt(this.config, prompt)
    const { textEncoders } = this.config
    const chunkCount = prompt[0]?.length ?? 0
    const chunkLength = textEncoders[0]?.length ?? 0
    const size = textEncoders.reduce((sum, { hiddenSize }) => sum + hiddenSize, 0)
    const length = chunkCount * chunkLength
    const states = new Float32Array(length * size)
    const vectors: Float32Array[] = []
    let column = 0
    for (const [index, { hiddenSize }] of textEncoders.entries()) {
      for (const [at, chunk] of (prompt[index] ?? []).entries()) {
        const { rows, pooled } = await this.#encodeChunk(index, chunk, options)
        setColumns(states, rows, { firstRow: at * chunkLength, column, size, width: hiddenSize })
        if (at === 0 && pooled !== undefined) vectors.push(pooled)
      }
      column += hiddenSize
    }
    return { states, length, size, pooled: joined(vectors) }
  }

  async denoise(input: DenoiseInput, options: WorkOptions = {}): Promise<Float32Array> {
    options.signal?.throwIfAborted()
    checkDenoise(this.config, input)
    const denoiser = here('denoiser', this.#graphs.denoiser)
    const { edges } = denoiser
    const { latents, timestep, text, timeIds } = input
    const { channels, height, width, values } = latents
    const inputs: RunInput[] = [
      { edge: edges.latents, data: values, shape: [1, channels, height, width] },
      { edge: edges.timestep, data: Float32Array.of(timestep), shape: [1] },
      { edge: edges.text, data: text.states, shape: [text.length, text.size] }
    ]
    if (edges.addition !== undefined) {
      inputs.push({ edge: edges.addition.pooled, data: text.pooled, shape: [1, text.pooled.length] })
      inputs.push({ edge: edges.addition.timeIds, data: Float32Array.from(timeIds), shape: [timeIds.length] })
    }
    const shape = [1, this.config.denoiser.outChannels, height, width]
    const outputs = [{ edge: edges.prediction, shape }]
    const [prediction = NOTHING] = await this.#run('denoiser', denoiser, { inputs, outputs }, options)
    return prediction
  }

  async decode(latents: Latents, options: WorkOptions = {}): Promise<Pixels> {
    options.signal?.throwIfAborted()
    checkLatents(this.config, latents, this.config.coder.latentChannels)
    const decoder = here('decoder', this.#graphs.decoder)
    const { channels, height, width, values } = latents
    const scale = latentScale(this.config)
    const [rows, columns] = [height * scale, width * scale]
    const inputs = [{ edge: decoder.edges.latents, data: values, shape: [1, channels, height, width] }]
    const outputs = [{ edge: decoder.edges.pixels, shape: [1, COLOURS, rows, columns] }]
    const [pixels = NOTHING] = await this.#run('decoder', decoder, { inputs, outputs }, options)
    return { height: rows, width: columns, values: pixels }
  }

  async encode(pixels: Pixels, options: WorkOptions = {}): Promise<EncodedPicture> {
    options.signal?.throwIfAborted()
    checkPixels(this.config, pixels)
    const encoder = here('encoder', this.#graphs.encoder)
    const { edges } = encoder
    const channels = this.config.coder.latentChannels
    const scale = latentScale(this.config)
    const [height, width] = [pixels.height / scale, pixels.width / scale]
    const shape = [1, channels, height, width]
    const inputs = [{ edge: edges.pixels, data: pixels.values, shape: [1, COLOURS, pixels.height, pixels.width] }]
    const { mean: place, logVariance: spread } = edges
    const outputs = (spread === undefined ? [place] : [place, spread]).map(edge => ({ edge, shape }))
    const [mean = NOTHING, logVariance] = await this.#run('encoder', encoder, { inputs, outputs }, options)
    return { mean: { channels, height, width, values: mean }, logVariance }
  }

  /** Breaks calls off, waits until the runtime has left their memory, and frees it and the weights. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#turns.closed) return
    await this.#turns.close()
    await this.#graphs[Symbol.asyncDispose]()
  }

  async #imagine(
    prior: NonNullable<DiffusionGraphs['prior']>,
    input: PriorInput,
    options: WorkOptions
  ): Promise<PriorResult> {
    options.signal?.throwIfAborted()
    checkPrior(this.config, input)
    const { edges } = prior
    const { noisy, timestep, text, tokenCount } = input
    const shape = [1, noisy.length]
    const mask = Float32Array.from({ length: text.length }, (_, at) => (at < tokenCount ? 0 : UNSEEN))
    const inputs: RunInput[] = [
      { edge: edges.noisy, data: noisy, shape },
      { edge: edges.timestep, data: Float32Array.of(timestep), shape: [1] },
      { edge: edges.states, data: text.states, shape: [text.length, text.size] },
      { edge: edges.pooled, data: text.pooled, shape },
      { edge: edges.mask, data: mask, shape: [1, text.length] }
    ]
    const outputs = [edges.prediction, edges.embedding].map(edge => ({ edge, shape }))
    const [prediction = NOTHING, embedding = NOTHING] = await this.#run('prior', prior, { inputs, outputs }, options)
    return { prediction, embedding }
  }

  async #encodeChunk(
    index: number,
    chunk: Uint32Array,
    options: WorkOptions
  ): Promise<{ readonly rows: Float32Array; readonly pooled: Float32Array | undefined }> {
    const encoder = here('text encoder', this.#graphs.textEncoders[index])
    const config = this.config.textEncoders[index]
    if (config === undefined) throw new MeshError('internal', `no text encoder ${index}`)
    const { edges } = encoder
    const { length, hiddenSize, pooledSize = 0 } = config
    const inputs = [{ edge: edges.tokens, data: Int32Array.from(chunk), shape: [1, length] }]
    const outputs = [{ edge: edges.states, shape: [length, hiddenSize] }]
    if (edges.pooled !== undefined) outputs.push({ edge: edges.pooled, shape: [1, pooledSize] })
    const [rows = NOTHING, pooled] = await this.#run('text encoder', encoder, { inputs, outputs }, options)
    return { rows, pooled }
  }

  async #run(
    part: string,
    { runs }: LoadedPart<unknown>,
    { inputs, outputs }: { readonly inputs: readonly RunInput[]; readonly outputs: readonly RunOutput[] },
    options: WorkOptions
  ): Promise<readonly Float32Array[]> {
    const signal = this.#turns.signalOf(options)
    const run = (): Promise<readonly Float32Array[]> => runs.run(inputs, outputs, { signal })
    const results = await this.#turns.take(run, signal, options.workClass)
    if (results.every(allFinite)) return results
    throw new MeshError('engine_failed', `the model's ${part} gave what are no numbers`, {
      hint: 'its weights may be damaged; import the model again',
      details: { part }
    })
  }
}

const NOTHING = new Float32Array()

/** @throws MeshError `unavailable` for what another node has */
function here<Part>(part: string, loaded: Part | undefined): Part {
  if (loaded !== undefined) return loaded
  throw new MeshError('unavailable', `the model's ${part} is not on this node`, { hint: 'ask the node that has it' })
}

interface Columns {
  readonly firstRow: number
  readonly column: number
  /** Numbers of a whole row. */
  readonly size: number
  /** Of them, those that are set. */
  readonly width: number
}

/** Sets some columns of some rows. */
function setColumns(all: Float32Array, rows: Float32Array, { firstRow, column, size, width }: Columns): void {
  for (let row = 0; row * width < rows.length; row++) {
    all.set(rows.subarray(row * width, (row + 1) * width), (firstRow + row) * size + column)
  }
}

function joined(vectors: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(vectors.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const vector of vectors) {
    all.set(vector, at)
    at += vector.length
  }
  return all
}
