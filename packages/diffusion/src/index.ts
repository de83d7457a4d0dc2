export {
  type DrawOptions,
  drawLatents,
  drawPicture,
  type PictureStep,
  type PreparedPicture,
  type StepModel
} from './draw-picture.ts'
export { pictureNoise } from './noise.ts'
export type { PictureRequest, PromptTokens, SourcePicture } from './picture-request.ts'
export { encodePrompts } from './prompt-states.ts'
export { checkSteps, type SamplerInit } from './sampler.ts'
export { requestOfSettings } from './settings-request.ts'
export { prepareSource } from './source-parts.ts'
export type { PictureNumbers, PictureSums } from './step-sums.ts'
export { SumsThread } from './sums-thread.ts'
