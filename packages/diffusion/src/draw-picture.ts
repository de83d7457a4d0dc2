import {
  allFinite,
  type DenoiseInput,
  type DiffusionModel,
  firstStep,
  invalidRequest,
  type Latents,
  latentScale,
  type PictureState,
  type Pixels,
  type TextStates,
  type WorkOptions
} from '@resultity/interface'
import { type NoiseSource, pictureNoise } from './noise.ts'
import { checkPictureRequest, type PictureRequest } from './picture-request.ts'
import { encodePrompts, type PromptStates } from './prompt-states.ts'
import type { Sampler } from './sampler.ts'
import { joined, prepareSource, type SourceParts } from './source-parts.ts'
import { noNumbers, OwnSums, type PictureNumbers, type PictureSums, type SummedState, samplerOf } from './step-sums.ts'

/** A finished step. */
export interface PictureStep {
  /** Steps that are done, those that are left out included, of `steps`. */
  readonly step: number
  readonly steps: number
  /** What the picture can go on from. */
  readonly state: PictureState
  /** The picture without noise, as far as it can be told now: decoded it is a preview. */
  readonly clean: Latents
}

/** What other nodes have made of a request: its text and the picture that it comes with need not be encoded. */
export interface PreparedPicture {
  readonly states: PromptStates
  readonly parts: SourceParts
  /** Steps that are left out. */
  readonly first: number
}

export interface DrawOptions extends WorkOptions {
  /** Called after each step, and awaited. What it throws ends the picture. */
  readonly onStep?: (step: PictureStep) => void | Promise<void>
  /** The state after some step of the same request: the picture goes on behind it, and becomes the same. */
  readonly from?: PictureState
  /** Of a request whose `source` is left out. */
  readonly prepared?: PreparedPicture
  /** Noise other than the request's own, to compare with other programs. */
  readonly noise?: NoiseSource
  /** Where sums are made of a picture that begins as noise alone. Default: here. */
  readonly sums?: (numbers: PictureNumbers) => PictureSums
}

/** What of a model the steps of a picture need. */
export type StepModel = Pick<DiffusionModel, 'config' | 'encodeText' | 'prior' | 'denoise' | 'encode'>

/** What stays the same from step to step. */
interface Drawing {
  readonly model: StepModel
  readonly sampler: Sampler
  readonly states: PromptStates
  readonly parts: SourceParts
  readonly request: PictureRequest
  readonly sums: PictureSums
}

/**
 * Draws one picture. The same request gives the same bits, from whichever finished step it is gone on from, on models that compute
 * the same bits.
 *
 * @returns the picture's pixels, as the model's decoder gives them: some may lie outside -1 and 1
 * @throws MeshError `invalid_request`, naming the field of the request; `engine_failed` for a model that gives what are no
 *   numbers, with the `part` of it and the `step`; what the model throws; the signal's reason, between two runs
 */
export async function drawPicture(
  model: DiffusionModel,
  request: PictureRequest,
  drawing: DrawOptions = {}
): Promise<Pixels> {
  const latents = await drawLatents(model, request, drawing)
  const { signal, workClass } = drawing
  const options: WorkOptions = { ...(signal && { signal }), ...(workClass && { workClass }) }
  options.signal?.throwIfAborted()
  const pixels = await model.decode(latents, options)
  if (!allFinite(pixels.values)) throw noNumbers('decoder', request.steps, request.steps)
  return pixels
}

/**
 * Makes the steps of one picture, and does not decode it.
 *
 * @returns latents as the decoder reads them
 * @throws MeshError as {@link drawPicture} does
 */
export async function drawLatents(
  model: StepModel,
  request: PictureRequest,
  { onStep, from, noise: given, sums: elsewhere, prepared, ...options }: DrawOptions = {}
): Promise<Latents> {
  checkPictureRequest(model.config, request)
  const numbers = numbersOf(model, request, prepared?.first)
  const sampler = samplerOf(numbers)
  const noise = given ?? pictureNoise(request.seed, request.picture)
  if (from !== undefined) checkState(model, request, sampler, from)
  options.signal?.throwIfAborted()
  // nothing is left to do, and so no text is needed
  if (from?.step === sampler.steps) return asLatents(model, request, from.latents)
  const parts =
    prepared?.parts ?? (await prepareSource(model, request, noise, { ...options, resumed: from !== undefined }))
  options.signal?.throwIfAborted()
  const states = prepared?.states ?? (await encodePrompts(model, request, noise, options))
  const own = elsewhere === undefined || request.source !== undefined || given !== undefined || prepared !== undefined
  const sums = own ? new OwnSums(numbers, { parts, noise }) : elsewhere(numbers)
  const drawing: Drawing = { model, sampler, states, parts, request, sums }
  let now = from === undefined ? await sums.begin() : await sums.resume(from)
  while (now.state.step < sampler.steps) {
    options.signal?.throwIfAborted()
    const predictions = await predict(drawing, now, options)
    const { clean, ...next } = await sums.next(now.state, predictions)
    now = next
    const { state } = next
    await onStep?.({ step: state.step, steps: sampler.steps, state, clean: asLatents(model, request, clean) })
  }
  return asLatents(model, request, now.state.latents)
}

function numbersOf(model: StepModel, request: PictureRequest, first: number | undefined): PictureNumbers {
  const { schedule } = model.config
  const { steps, source, seed, picture, eta = 0, scheduler = schedule.scheduler } = request
  const { guidanceScale, guidanceRescale = 0 } = request
  const start = first ?? firstStep({ steps, start: source })
  const latents = latentCount(model, request)
  const guidance = { guidanceScale, guidanceRescale }
  return { schedule, scheduler, steps, start, eta, ...guidance, seed, picture, latentCount: latents }
}

/** What the denoiser says of a step: with guidance by two runs, which may be made on two nodes at once. */
async function predict(drawing: Drawing, now: SummedState, options: WorkOptions): Promise<readonly Float32Array[]> {
  const { prompt, negative } = drawing.states
  if (negative === undefined) return [await denoise(drawing, now, prompt, options)]
  return await bothOf(denoise(drawing, now, negative, options), denoise(drawing, now, prompt, options))
}

async function denoise(
  { model, sampler, parts, request }: Drawing,
  { state, input: scaled = NONE }: SummedState,
  text: TextStates,
  options: WorkOptions
): Promise<Float32Array> {
  const input: DenoiseInput = {
    latents: asLatents(model, request, parts.beside === undefined ? scaled : joined(scaled, parts.beside)),
    timestep: sampler.timesteps[state.step] ?? Number.NaN,
    text,
    timeIds: timeIds(model, request)
  }
  const prediction = await model.denoise(input, options)
  const { outChannels } = model.config.denoiser
  const count = (scaled.length / model.config.coder.latentChannels) * outChannels
  if (prediction.length !== count || !allFinite(prediction)) {
    throw noNumbers('denoiser', state.step, sampler.steps)
  }
  return prediction
}

const NONE = new Float32Array()

/** Both results; when one fails, once the other has ended too, so that nothing runs on behind a picture. */
async function bothOf<T>(one: Promise<T>, other: Promise<T>): Promise<[T, T]> {
  await Promise.allSettled([one, other])
  return [await one, await other]
}

/** What XL is told of a picture: as large as it is drawn, and nothing cut off. */
function timeIds({ config }: StepModel, { width, height }: PictureRequest): number[] {
  return config.denoiser.addition === undefined ? [] : [height, width, 0, 0, height, width]
}

/** As many channels as there are values for. */
function asLatents({ config }: StepModel, request: PictureRequest, values: Float32Array): Latents {
  const scale = latentScale(config)
  const width = request.width / scale
  const height = request.height / scale
  return { channels: values.length / (width * height), height, width, values }
}

function latentCount({ config }: StepModel, { width, height }: PictureRequest): number {
  const scale = latentScale(config)
  return config.coder.latentChannels * (width / scale) * (height / scale)
}

/** @throws MeshError `invalid_request` for a state that no step of this request can have left */
function checkState(model: StepModel, request: PictureRequest, sampler: Sampler, state: PictureState): void {
  const { step, latents, carried } = state
  const count = latentCount(model, request)
  const known = Number.isInteger(step) && step > sampler.start && step <= sampler.steps
  if (!known) throw invalidRequest('from', `no state is after step ${step} of ${sampler.start} to ${sampler.steps}`)
  const remembered = sampler.looksBack ? 1 : 0
  if (carried.length !== remembered || [latents, ...carried].some(values => values.length !== count)) {
    throw invalidRequest('from', `the state does not have ${1 + remembered} times ${count} values`)
  }
  if (![latents, ...carried].every(allFinite)) throw invalidRequest('from', 'the state has values that are no numbers')
}
