export { type DrawOptions, drawPicture, type PictureStep } from './draw-picture.ts'
export { draws, type NoiseSource, pictureNoise } from './noise.ts'
export type { PictureRequest, PromptTokens, SourcePicture } from './picture-request.ts'
export { createSampler, type Sampler, type SamplerInit } from './sampler.ts'
