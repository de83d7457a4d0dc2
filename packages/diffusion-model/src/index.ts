export {
  buildPictureDecoderGraph,
  buildPictureEncoderGraph,
  type PictureDecoderGraph,
  type PictureEncoderGraph
} from './graph/coder-graphs.ts'
export { buildDenoiserGraph, type DenoiserGraph } from './graph/denoiser-graph.ts'
export type { GraphInit } from './graph/graph-init.ts'
export { buildTextEncoderGraph, type TextEncoderGraph } from './graph/text-graph.ts'
