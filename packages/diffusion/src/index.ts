export { type DrawOptions, drawLatents, drawPicture, type PictureStep, type StepModel } from './draw-picture.ts'
export type { PictureRequest, PromptTokens, SourcePicture } from './picture-request.ts'
export { checkSteps, type SamplerInit } from './sampler.ts'
export { requestOfSettings } from './settings-request.ts'
