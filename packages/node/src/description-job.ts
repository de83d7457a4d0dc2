import { describePicture, lookedAt } from '@resultity/blip'
import { type DescriptionJob, type WorkOptions, writeDescriptionResult } from '@resultity/interface'
import { TokenSampler } from '@resultity/sampling'
import type { ReadyCaptioner } from './loaded-model.ts'

/**
 * Says what one picture shows, or answers a question of it. The same job gives the same tokens on any node of a kernel class.
 *
 * @returns UTF-8 JSON of a `DescriptionResult`
 * @throws MeshError `invalid_request` for a picture of another size, a token that the model lacks, or a question where it takes
 *   none; `context_length_exceeded`, `engine_failed`; the reason of the signal
 */
export async function runDescriptionJob(
  { captioner }: ReadyCaptioner,
  { rgb, question, prompt, tokensMax, tokensMin, seed, ...sampling }: DescriptionJob,
  options: WorkOptions
): Promise<Uint8Array> {
  const { config } = captioner
  const pixels = lookedAt(rgb, config)
  const chooser = (promptTokens: readonly number[]): TokenSampler =>
    new TokenSampler({
      sampling: { ...sampling, seed: BigInt(seed) },
      promptTokens,
      endTokens: [config.tokens.end],
      tokensMin
    })
  const init = { pixels, question, prompt, tokensMax, chooser }
  return writeDescriptionResult(await describePicture(captioner, init, options))
}
