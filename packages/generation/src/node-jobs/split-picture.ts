import {
  drawLatents,
  type PictureRequest,
  type PictureStep,
  type StepModel,
  type SumsThread
} from '@resultity/diffusion'
import {
  DENOISE_ENDPOINT,
  type DenoiseInput,
  type DiffusionConfig,
  MeshError,
  type PictureState,
  type PromptTokens,
  readDenoiseResult,
  requireDiffusion,
  type TextStates,
  writeDenoiseJob
} from '@resultity/interface'
import type { PlaceableModel, RouteConstraints } from '@resultity/placement'
import type { NodeJobOptions, NodeJobs } from './node-jobs.ts'
import { wrongResult } from './wrong-result.ts'

export interface SplitPicture {
  readonly jobId: string
  readonly model: PlaceableModel
  readonly routing: RouteConstraints
  /** It begins as noise alone. */
  readonly request: PictureRequest
  /** Goes on from here. */
  readonly from: PictureState | undefined
  /** Time of one run, in those that a whole job of another kind may take. */
  readonly jobsPerRun: number
}

export interface SplitOptions extends NodeJobOptions {
  onStep(step: PictureStep): Promise<void>
}

export interface SplitComponents {
  readonly nodeJobs: Pick<NodeJobs, 'run'>
  /** Steps are put together there: at two megapixels one takes some tens of milliseconds. */
  readonly sums: Pick<SumsThread, 'of'>
}

/**
 * Makes the steps of a picture here, in a thread, and has nodes run the denoiser: with guidance twice a step, on two nodes at once. The bits
 * are those of one node, for what is computed is the same; a run whose node is lost is made by another.
 *
 * @returns the state behind the last step
 * @throws MeshError as {@link NodeJobs.run} does; `protocol_violation`, naming the node, for what is no prediction
 */
export async function drawSplit(
  { nodeJobs, sums }: SplitComponents,
  picture: SplitPicture,
  { onStep, ...options }: SplitOptions
): Promise<PictureState> {
  let last = picture.from
  const { signal, workClass } = options
  await drawLatents(new DenoisingNodes(nodeJobs, picture, options), picture.request, {
    ...(signal && { signal }),
    ...(workClass && { workClass }),
    ...(last && { from: last }),
    sums: numbers => sums.of(numbers),
    onStep: async step => {
      last = step.state
      await onStep(step)
    }
  })
  if (last === undefined) throw new MeshError('internal', 'a picture had no step')
  return last
}

/** A denoiser that is wherever the model is served. Prompts stay tokens until they are there. */
class DenoisingNodes implements StepModel {
  readonly config: DiffusionConfig
  readonly #nodeJobs: Pick<NodeJobs, 'run'>
  readonly #picture: SplitPicture
  readonly #options: NodeJobOptions
  #begun = false
  readonly #prompts = new WeakMap<TextStates, PromptTokens>()

  constructor(nodeJobs: Pick<NodeJobs, 'run'>, picture: SplitPicture, options: NodeJobOptions) {
    this.config = requireDiffusion(picture.model.manifest).config
    this.#nodeJobs = nodeJobs
    this.#picture = picture
    this.#options = options
  }

  async encodeText(prompt: readonly (readonly Uint32Array[])[]): Promise<TextStates> {
    const { textEncoders, denoiser } = this.config
    const length = (prompt[0]?.length ?? 0) * (textEncoders[0]?.length ?? 0)
    const none = new Float32Array()
    const text: TextStates = { states: none, pooled: none, length, size: denoiser.contextSize }
    this.#prompts.set(
      text,
      prompt.map(chunks => chunks.map(chunk => [...chunk]))
    )
    return text
  }

  async denoise({ latents, timestep, text, timeIds }: DenoiseInput): Promise<Float32Array> {
    const { jobId, model, routing, jobsPerRun } = this.#picture
    const { textEncoders, denoiser } = this.config
    const body = writeDenoiseJob({
      // of states that are zeros there are no tokens
      prompt: this.#prompts.get(text),
      chunks: text.length / (textEncoders[0]?.length ?? 1),
      latents,
      timestep,
      timeIds
    })
    // each run takes a place of its own: a picture that is half done is not turned away because others came since
    const begun = this.#begun
    const job = { jobId, model, routing, endpoint: DENOISE_ENDPOINT, body, jobs: jobsPerRun, begun }
    const { result, route } = await this.#nodeJobs.run(job, this.#options)
    this.#begun = true
    const prediction = readDenoiseResult(result, denoiser.outChannels * latents.height * latents.width)
    if (prediction === undefined) throw wrongResult(route, `nothing that the denoiser of ${model.name} predicts`)
    return prediction
  }

  async encode(): Promise<never> {
    throw new MeshError('internal', 'a picture that begins with another is drawn by one node')
  }
}
