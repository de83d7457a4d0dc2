import { encodePrompts, pictureNoise, requestOfSettings } from '@resultity/diffusion'
import {
  DECODE_ENDPOINT,
  type DiffusionSection,
  diffusionSections,
  firstStep,
  invalidRequest,
  type PictureState,
  type PromptTokens,
  type Route,
  readPictureResult,
  readSourceResult,
  readTextResult,
  requireDiffusion,
  SOURCE_ENDPOINT,
  STEPS_ENDPOINT,
  type StepSource,
  type StepTexts,
  sectionRanges,
  TEXT_ENDPOINT,
  TEXT_STATES_BYTES_MAX,
  type TextStates,
  writeDecodeJob,
  writePictureJob,
  writeStepsJob,
  writeTextJob
} from '@resultity/interface'
import type { NodeJobOptions, NodeJobResult, NodeJobs } from './node-jobs.ts'
import { jobsFor, type OnePicture, type Progress } from './picture-progress.ts'
import { wrongResult } from './wrong-result.ts'

export interface DrawnPicture {
  /** u8 `[height, width, 3]`. */
  readonly rgb: Uint8Array
  /** Who drew it. */
  readonly route: Route
}

/**
 * Draws a picture where no node serves its whole model: the node with the text encoders encodes the prompts, the one with the denoiser
 * makes all steps, and the one with the decoder makes pixels of latents. What one made goes to the next through here, checked.
 * Where a node is lost, whoever has its section by then does its part again, the steps from the last that is known.
 *
 * @throws MeshError as {@link NodeJobs.follow} does; `protocol_violation`, naming the node; `invalid_request` for prompts whose states are
 *   too many for one job
 */
export async function drawnInParts(
  nodeJobs: Pick<NodeJobs, 'follow' | 'run'>,
  progress: Progress,
  one: OnePicture,
  options: NodeJobOptions
): Promise<DrawnPicture> {
  return await new Parts(nodeJobs, progress, one, options).draw()
}

class Parts {
  readonly #nodeJobs: Pick<NodeJobs, 'follow' | 'run'>
  readonly #progress: Progress
  readonly #one: OnePicture
  readonly #options: NodeJobOptions
  /** Of each section the node that had it last. */
  readonly #routes = new Map<DiffusionSection, Route>()
  #begun: boolean

  constructor(
    nodeJobs: Pick<NodeJobs, 'follow' | 'run'>,
    progress: Progress,
    one: OnePicture,
    options: NodeJobOptions
  ) {
    this.#nodeJobs = nodeJobs
    this.#progress = progress
    this.#one = one
    this.#options = options
    this.#begun = progress.begun
  }

  async draw(): Promise<DrawnPicture> {
    const { steps } = this.#one.request
    const state = this.#progress.state
    const last = state?.step === steps ? state : await this.#makeSteps(await this.#texts(), await this.#source())
    const rgb = await this.#decode(last.latents)
    const placementId = this.#routes.get('coder')?.placementId ?? ''
    const all = diffusionSections.flatMap(section => this.#routes.get(section)?.stages ?? [])
    const stages = all.filter(({ peerId }, at) => all.findIndex(other => other.peerId === peerId) === at)
    return { rgb, route: { placementId, stages } }
  }

  async #texts(): Promise<StepTexts> {
    const { request, picture } = this.#one
    const { config } = requireDiffusion(request.model.manifest)
    const encodeText = (prompt: readonly (readonly Uint32Array[])[]): Promise<TextStates> =>
      this.#encode(prompt.map(chunks => chunks.map(chunk => [...chunk])))
    const asked = requestOfSettings(request, picture)
    const texts = await encodePrompts({ config, encodeText }, asked, pictureNoise(asked.seed, picture), {})
    const all = [texts.prompt, ...(texts.negative === undefined ? [] : [texts.negative])]
    const bytes = all.reduce((sum, { states, pooled }) => sum + states.byteLength + pooled.byteLength, 0)
    if (bytes <= TEXT_STATES_BYTES_MAX) return texts
    const most = `${TEXT_STATES_BYTES_MAX} go from node to node`
    throw invalidRequest('prompt', `its states have ${bytes} bytes, and ${most}`, 'Send shorter prompts.')
  }

  async #encode(prompt: PromptTokens): Promise<TextStates> {
    const { config } = requireDiffusion(this.#one.request.model.manifest)
    const { result, route } = await this.#run('text', TEXT_ENDPOINT, writeTextJob(prompt))
    const text = readTextResult(result)
    const length = (prompt[0]?.length ?? 0) * (config.textEncoders[0]?.length ?? 0)
    const { contextSize, addition } = config.denoiser
    const whole = text?.length === length && text.size === contextSize
    if (text === undefined || !whole || text.pooled.length !== (addition?.pooledSize ?? 0)) {
      throw wrongResult(route, `no states of ${length} tokens`)
    }
    return text
  }

  /** Of a picture that another begins with. */
  async #source(): Promise<StepSource> {
    const { request, sizes } = this.#one
    if (request.start === undefined) return {}
    const { state, job } = this.#progress
    const { result, route } = await this.#run('coder', SOURCE_ENDPOINT, writePictureJob({ ...job, from: state }))
    const source = readSourceResult(result)
    const { latentValues: count } = sizes
    const plane = count / requireDiffusion(request.model.manifest).config.coder.latentChannels
    const fits = (values: Float32Array | undefined, length: number): boolean =>
      values === undefined || values.length === length
    const { begins, kept, beside } = source ?? {}
    const whole =
      fits(begins, count) && fits(kept?.latents, count) && fits(kept?.mask, plane) && fits(beside, plane + count)
    if (source === undefined || !whole) throw wrongResult(route, 'no latents of the picture that was sent')
    return source
  }

  async #makeSteps(texts: StepTexts, source: StepSource): Promise<PictureState> {
    const { request, sizes } = this.#one
    const { jobId, model, routing, steps } = request
    const { start, ...picture } = this.#progress.job
    const write = (from: PictureState | undefined): Uint8Array =>
      writeStepsJob({ picture: { ...picture, from }, first: firstStep({ steps, start }), texts, source })
    const { route } = await this.#nodeJobs.follow(
      {
        jobId,
        model,
        routing,
        endpoint: STEPS_ENDPOINT,
        layer: this.#layerOf('denoiser'),
        begun: this.#begun,
        attempt: route => this.#progress.steps(route, write, clean => this.#decode(clean)),
        eventCount: steps + 1,
        jobsPerEvent: jobsFor(sizes)
      },
      this.#options
    )
    this.#routes.set('denoiser', route)
    const { state, done } = this.#progress
    if (state?.step !== steps || !done) throw wrongResult(route, `no latents behind step ${steps}`)
    return state
  }

  async #decode(latents: Float32Array): Promise<Uint8Array> {
    const { sizes } = this.#one
    const { width, height } = sizes
    const { result, route } = await this.#run('coder', DECODE_ENDPOINT, writeDecodeJob({ width, height, latents }))
    const rgb = readPictureResult(result, sizes)
    if (rgb === undefined) throw wrongResult(route, `no picture of ${width} × ${height}`)
    return rgb
  }

  async #run(section: DiffusionSection, endpoint: string, body: Uint8Array): Promise<NodeJobResult> {
    const { jobId, model, routing } = this.#one.request
    const job = { jobId, model, routing, endpoint, body, layer: this.#layerOf(section), begun: this.#begun }
    const done = await this.#nodeJobs.run({ ...job, jobs: jobsFor(this.#one.sizes) }, this.#options)
    this.#begun = true
    this.#routes.set(section, done.route)
    return done
  }

  #layerOf(section: DiffusionSection): number {
    return sectionRanges(requireDiffusion(this.#one.request.model.manifest))[section].first
  }
}
