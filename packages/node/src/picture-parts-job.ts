import { drawLatents, type PictureStep, pictureNoise, prepareSource, requestOfSettings } from '@resultity/diffusion'
import {
  allFinite,
  type DecodeJob,
  type Latents,
  latentScale,
  MeshError,
  type PictureEvent,
  type PictureJob,
  type PromptTokens,
  type StepsJob,
  writePictureResult,
  writeSourceResult,
  writeStepsResult,
  writeTextResult
} from '@resultity/interface'
import type { JobWorkOptions } from './job-work.ts'
import type { ReadyDiffusion } from './loaded-model.ts'
import { sourceOf, ToldSteps, toRgb } from './picture-job.ts'

type Ready = Pick<ReadyDiffusion, 'diffusion' | 'texts'>

/**
 * Encodes a prompt, for a denoiser elsewhere.
 *
 * @returns bytes of a result ({@link writeTextResult})
 * @throws MeshError `invalid_request` for what the model does not read, `engine_failed`; the reason of the signal
 */
export async function runTextJob(
  { diffusion, texts }: Ready,
  prompt: PromptTokens,
  { signal, workClass }: JobWorkOptions
): Promise<Uint8Array> {
  const options = { ...(signal && { signal }), ...(workClass && { workClass }) }
  const tokens = prompt.map(all => all.map(chunk => Uint32Array.from(chunk)))
  return writeTextResult(await texts.of(prompt, () => diffusion.encodeText(tokens, options)))
}

/**
 * Encodes the picture that another begins with, for a denoiser elsewhere.
 *
 * @returns bytes of a result ({@link writeSourceResult})
 * @throws MeshError as {@link runTextJob} does
 */
export async function runSourceJob(
  { diffusion }: Ready,
  job: PictureJob,
  { signal, workClass }: JobWorkOptions
): Promise<Uint8Array> {
  const { from, start } = job
  const options = { ...(signal && { signal }), ...(workClass && { workClass }) }
  const request = requestOfSettings(job, job.picture, start && (await sourceOf(job, start)))
  const noise = pictureNoise(request.seed, request.picture)
  return writeSourceResult(await prepareSource(diffusion, request, noise, { ...options, resumed: from !== undefined }))
}

/**
 * Makes the steps of a picture whose text was encoded elsewhere, and tells each. It is decoded elsewhere, too.
 *
 * @returns bytes of a result ({@link writeStepsResult})
 * @throws MeshError as {@link runTextJob} does
 */
export async function runStepsJob(
  { diffusion }: Ready,
  { picture: job, first, texts, source }: StepsJob,
  options: JobWorkOptions
): Promise<Uint8Array> {
  const { from } = job
  const { signal, workClass } = options
  const show = async (step: number, clean: Latents): Promise<PictureEvent> => ({
    type: 'clean',
    step,
    clean: clean.values
  })
  const told = new ToldSteps(job, show, options)
  await drawLatents(diffusion, requestOfSettings(job, job.picture), {
    ...(signal && { signal }),
    ...(workClass && { workClass }),
    ...(from && { from }),
    prepared: { states: texts, parts: source, first },
    onStep: (step: PictureStep) => told.step(step)
  })
  await told.sent
  return writeStepsResult()
}

/**
 * Makes pixels of latents.
 *
 * @returns bytes of a result ({@link writePictureResult})
 * @throws MeshError as {@link runTextJob} does
 */
export async function runDecodeJob(
  { diffusion }: Ready,
  { width, height, latents: values }: DecodeJob,
  { signal, workClass }: JobWorkOptions
): Promise<Uint8Array> {
  const scale = latentScale(diffusion.config)
  const latents = {
    channels: diffusion.config.coder.latentChannels,
    height: height / scale,
    width: width / scale,
    values
  }
  const pixels = await diffusion.decode(latents, { ...(signal && { signal }), ...(workClass && { workClass }) })
  if (allFinite(pixels.values)) return writePictureResult(await toRgb(pixels), { width, height })
  throw new MeshError('engine_failed', "the model's decoder gave no numbers", {
    hint: 'The weights may be damaged, or too large for the numbers they are computed with.',
    details: { part: 'decoder' }
  })
}
