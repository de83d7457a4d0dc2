import {
  type DenoiseJob,
  type DiffusionConfig,
  type TextStates,
  type WorkOptions,
  writeDenoiseResult
} from '@resultity/interface'
import type { ReadyDiffusion } from './loaded-model.ts'

/**
 * Runs the denoiser once, for a picture whose steps are put together elsewhere.
 *
 * @returns bytes of a result ({@link writeDenoiseResult})
 * @throws MeshError `invalid_request` for what is not the model's, `engine_failed`; the reason of the signal
 */
export async function runDenoiseJob(
  { diffusion, texts }: Pick<ReadyDiffusion, 'diffusion' | 'texts'>,
  { prompt, chunks, ...input }: DenoiseJob,
  { signal, workClass }: WorkOptions
): Promise<Uint8Array> {
  const options = { ...(signal && { signal }), ...(workClass && { workClass }) }
  const text =
    prompt === undefined
      ? zerosOf(diffusion.config, chunks)
      : await texts.of(prompt, () =>
          diffusion.encodeText(
            prompt.map(all => all.map(chunk => Uint32Array.from(chunk))),
            options
          )
        )
  return writeDenoiseResult(await diffusion.denoise({ ...input, text }, options))
}

function zerosOf({ textEncoders, denoiser }: DiffusionConfig, chunks: number): TextStates {
  const length = chunks * (textEncoders[0]?.length ?? 0)
  const { contextSize: size, addition } = denoiser
  return {
    states: new Float32Array(length * size),
    pooled: new Float32Array(addition?.pooledSize ?? 0),
    length,
    size
  }
}
