export {
  buildPictureDecoderGraph,
  buildPictureEncoderGraph,
  type PictureDecoderGraph,
  type PictureEncoderGraph
} from './graph/coder-graphs.ts'
export { buildDenoiserGraph, type DenoiserGraph } from './graph/denoiser-graph.ts'
export { type DiffusionMemory, diffusionMemory, diffusionWork, workBytesPerLayer } from './graph/diffusion-memory.ts'
export type { GraphInit } from './graph/graph-init.ts'
export { buildPriorGraph, type PriorGraph, UNSEEN } from './graph/prior-graph.ts'
export { checkDenoise, checkLatents, checkPixels, checkPrior, checkPrompt } from './graph/run-checks.ts'
export { buildClipSightGraph, type ClipSightGraph } from './graph/sight-graph.ts'
export { buildTextEncoderGraph, type TextEncoderGraph } from './graph/text-graph.ts'
export type { ClipTokenizer } from './import/clip-tokenizer.ts'
export {
  componentFolders,
  DESCRIBING_FILES,
  describeDiffusersFolder,
  hasPriorApart,
  MODEL_INDEX,
  PRIOR_PREFIX
} from './import/diffusers-folder.ts'
export { type DiffusionSource, isDiffusersFolder, openDiffusersFolder, weightStem } from './import/open-diffusers.ts'
