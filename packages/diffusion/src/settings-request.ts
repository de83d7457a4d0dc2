import type { PictureSettings } from '@resultity/interface'
import type { PictureRequest, SourcePicture } from './picture-request.ts'

/** What a job says of a picture, as `drawPicture` reads it. */
export function requestOfSettings(
  settings: PictureSettings,
  picture: number,
  source?: SourcePicture | undefined
): PictureRequest {
  const { width, height, steps, scheduler, guidance, guidanceRescale, seed } = settings
  const tokens = (prompt: PictureSettings['prompt']): Uint32Array[][] =>
    prompt.map(chunks => chunks.map(chunk => Uint32Array.from(chunk)))
  return {
    prompt: tokens(settings.prompt),
    negative: tokens(settings.negative),
    width,
    height,
    steps,
    scheduler,
    picture,
    guidanceScale: guidance,
    guidanceRescale,
    seed: BigInt(seed),
    ...(source && { source })
  }
}
