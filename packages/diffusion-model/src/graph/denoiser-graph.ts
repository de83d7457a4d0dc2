import { type DenoiserConfig, type DenoiserLevel, TIME_ID_COUNT } from '@resultity/interface'
import { ElementType, GraphWriter } from '@resultity/onnx-graph'
import { type Blocks, convolve, enlarge, groupNorm, integers, layerNorm, project, silu } from './blocks.ts'
import { embeddingAttention } from './embedding-attention.ts'
import { addWatched, type GraphInit, weightsOf } from './graph-init.ts'
import { type Context, pixelTransformer } from './pixel-transformer.ts'
import { residualBlock, type TimeState } from './residual-block.ts'
import { waves } from './waves.ts'

/** What predicts the noise in latents, as an ONNX model. */
export interface DenoiserGraph {
  /** The serialized model. Weights are external data. */
  readonly bytes: Uint8Array
  /** f32 `[1, inChannels, height, width]`, of any size. */
  readonly latents: string
  /** f32 `[1]`: in training steps. */
  readonly timestep: string
  /** f32 `[length, contextSize]`; of a model that draws embeddings one of them, `[1, contextSize]`. */
  readonly text: string
  /** Inputs of a model that takes them, and of no other. */
  readonly addition:
    | {
        /** f32 `[1, pooledSize]`. */
        readonly pooled: string
        /** f32 `[TIME_ID_COUNT]`. */
        readonly timeIds: string
      }
    | undefined
  /** f32 `[1, outChannels, height, width]`. */
  readonly prediction: string
}

/**
 * Builds a denoiser: a UNet (Ronneberger et al., arXiv:1505.04597) whose blocks are told the time and attend to the text.
 *
 * @throws MeshError `model_invalid` for a missing tensor
 */
export function buildDenoiserGraph(init: GraphInit): DenoiserGraph {
  const { config, name } = init.manifest
  const graph = new GraphWriter()
  const blocks = { graph, weights: weightsOf(init, graph, 'denoiser') }
  const edges = denoiserGraph(blocks, config.denoiser)
  addWatched(graph, init.watched)
  return { bytes: graph.finish(`${name} denoiser`), ...edges }
}

/** The graph's edges; what it asks for are the weights of a denoiser. */
export function denoiserGraph(blocks: Blocks, config: DenoiserConfig): Omit<DenoiserGraph, 'bytes'> {
  const { graph } = blocks
  const latents = graph.input('latents', ElementType.float32, [1, config.inChannels, 'height', 'width'])
  const timestep = graph.input('timestep', ElementType.float32, [1])
  const length = config.embedding === undefined ? 'length' : 1
  const text = graph.input('text', ElementType.float32, [length, config.contextSize])
  const { time, addition } = timeState(blocks, config, { timestep, text })
  const unet = new Unet(blocks, config, time, contextOf(blocks, config, text))
  const prediction = unet.draw(latents)
  graph.output(prediction, ElementType.float32, [1, config.outChannels, 'height', 'width'])
  return { latents, timestep, text, addition, prediction }
}

/** As torch's LayerNorm has it; no denoiser says otherwise. */
const LAYER_NORM_EPSILON = 1e-5

/** What pixels attend to: the text, or positions that an embedding is made to. */
function contextOf(blocks: Blocks, { contextSize, embedding }: DenoiserConfig, text: string): Context {
  if (embedding === undefined) return { edge: text, size: contextSize }
  const { tokenCount, tokenSize: size } = embedding
  const wide = project(blocks, 'embedding', text, { inputs: contextSize, outputs: tokenCount * size })
  const rows = blocks.graph.node('Reshape', 'embedding_rows', [wide, integers(blocks.graph, tokenCount, size)])
  return { edge: layerNorm(blocks, 'embedding_norm', rows, { size, epsilon: LAYER_NORM_EPSILON }), size }
}

/** Numbers of the time to those of the first level: of every published UNet. */
const TIME_FACTOR = 4

function timeState(
  blocks: Blocks,
  { levels, addition, embedding, contextSize }: DenoiserConfig,
  { timestep, text }: { readonly timestep: string; readonly text: string }
): { time: TimeState; addition: DenoiserGraph['addition'] } {
  const { graph } = blocks
  const first = firstOf(levels).channels
  const size = TIME_FACTOR * first
  const perceptron = (name: string, input: string, inputs: number): string => {
    const wide = project(blocks, `${name}.1`, input, { inputs, outputs: size })
    return project(blocks, `${name}.2`, silu(blocks, wide), { inputs: size, outputs: size })
  }
  const time = perceptron('time', waves(graph, 'time_waves', timestep, { count: 1, size: first }), first)
  if (embedding !== undefined) {
    const shown = project(blocks, 'shown', text, { inputs: contextSize, outputs: size })
    const normed = layerNorm(blocks, 'shown_norm', shown, { size, epsilon: LAYER_NORM_EPSILON })
    const both = graph.node('Add', 'time_and_shown', [time, normed])
    return { time: { edge: silu(blocks, both), size, scales: true }, addition: undefined }
  }
  if (addition === undefined) return { time: { edge: silu(blocks, time), size }, addition }
  const { pooledSize, timeSize } = addition
  const pooled = graph.input('pooled', ElementType.float32, [1, pooledSize])
  const timeIds = graph.input('time_ids', ElementType.float32, [TIME_ID_COUNT])
  const told = waves(graph, 'told_waves', timeIds, { count: TIME_ID_COUNT, size: timeSize })
  const both = graph.node('Concat', 'told', [pooled, told], { axis: 1 })
  const added = perceptron('added', both, pooledSize + TIME_ID_COUNT * timeSize)
  const sum = graph.node('Add', 'time_and_added', [time, added])
  return { time: { edge: silu(blocks, sum), size }, addition: { pooled, timeIds } }
}

/** Pixels on their way. */
interface State {
  readonly edge: string
  readonly channels: number
}

class Unet {
  readonly #blocks: Blocks
  readonly #config: DenoiserConfig
  readonly #time: TimeState
  readonly #context: Context

  constructor(blocks: Blocks, config: DenoiserConfig, time: TimeState, context: Context) {
    this.#blocks = blocks
    this.#config = config
    this.#time = time
    this.#context = context
  }

  /** @returns the prediction */
  draw(latents: string): string {
    const { inChannels, outChannels, levels } = this.#config
    const first = firstOf(levels).channels
    const entered = convolve(this.#blocks, 'in', latents, { inputs: inChannels, outputs: first })
    const skips: State[] = [{ edge: entered, channels: first }]
    let state: State = { edge: entered, channels: first }
    for (const index of levels.keys()) state = this.#down(index, state, skips)
    if (this.#config.middle !== false) state = this.#middle(state)
    for (const index of [...levels.keys()].reverse()) state = this.#up(index, state, skips)
    const normed = groupNorm(this.#blocks, 'out_norm', state.edge, { ...this.#config, channels: state.channels })
    return convolve(this.#blocks, 'out', silu(this.#blocks, normed), { inputs: state.channels, outputs: outChannels })
  }

  #level(index: number): DenoiserLevel {
    return this.#config.levels[index] ?? firstOf(this.#config.levels)
  }

  #down(index: number, input: State, skips: State[]): State {
    const level = this.#level(index)
    const { channels } = level
    let state = input
    for (let block = 0; block < level.blockCount; block++) {
      state = this.#block(`down.${index}`, block, state, level)
      skips.push(state)
    }
    if (index === this.#config.levels.length - 1) return state
    const path = `down.${index}.half`
    const convolution = { inputs: channels, outputs: channels, stride: 2 }
    state =
      this.#config.embedding === undefined
        ? { edge: convolve(this.#blocks, path, state.edge, convolution), channels }
        : this.#residual(path, state, channels, 'half')
    skips.push(state)
    return state
  }

  #middle(input: State): State {
    const level = this.#level(this.#config.levels.length - 1)
    const first = this.#residual('middle.block.0', input, level.channels)
    const attended = this.#attending('middle.attend.0', first.edge, level)
    return this.#residual('middle.block.1', { edge: attended, channels: level.channels }, level.channels)
  }

  #up(index: number, input: State, skips: State[]): State {
    const level = this.#level(index)
    const { channels } = level
    const path = `up.${this.#config.levels.length - 1 - index}`
    let state = input
    for (let block = 0; block <= level.blockCount; block++) {
      const skip = skips.pop() ?? input
      const edges = [state.edge, skip.edge]
      const edge = this.#blocks.graph.node('Concat', `${path}.joined.${block}`, edges, { axis: 1 })
      state = this.#block(path, block, { edge, channels: state.channels + skip.channels }, level)
    }
    if (index === 0) return state
    if (this.#config.embedding !== undefined) return this.#residual(`${path}.double`, state, channels, 'double')
    // sides that are not even are halved up, and doubled to what they were
    const large = enlarge(this.#blocks, `${path}.double`, state.edge, skips.at(-1)?.edge)
    return {
      edge: convolve(this.#blocks, `${path}.double`, large, { inputs: channels, outputs: channels }),
      channels
    }
  }

  #block(path: string, index: number, input: State, level: DenoiserLevel): State {
    const state = this.#residual(`${path}.block.${index}`, input, level.channels)
    if (!level.attends) return state
    return { ...state, edge: this.#attending(`${path}.attend.${index}`, state.edge, level) }
  }

  #residual(path: string, { edge, channels }: State, outputs: number, resolution?: 'half' | 'double'): State {
    const { normGroups, epsilon } = this.#config
    const sizes = { normGroups, epsilon, inputs: channels, outputs }
    const block = { ...sizes, time: this.#time, ...(resolution && { resolution }) }
    return { edge: residualBlock(this.#blocks, path, edge, block), channels: outputs }
  }

  #attending(path: string, edge: string, { channels, headCount, transformerDepth: depth }: DenoiserLevel): string {
    const { normGroups, embedding } = this.#config
    const attending = { channels, headCount, normGroups, context: this.#context }
    return embedding === undefined
      ? pixelTransformer(this.#blocks, path, edge, { ...attending, depth })
      : embeddingAttention(this.#blocks, path, edge, attending)
  }
}

function firstOf(levels: readonly DenoiserLevel[]): DenoiserLevel {
  const [first] = levels
  if (first === undefined) throw new RangeError('a denoiser has at least one level')
  return first
}
