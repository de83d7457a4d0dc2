export { buildEncoderGraph, type EncoderGraph, type EncoderGraphInit } from './encoder-graph.ts'
export { buildProbeGraph, type ProbeGraph } from './probe-graph.ts'
export { type RopeName, type RotaryTables, rotaryTables } from './rotary.ts'
export {
  buildStageGraph,
  type CacheEdge,
  type RotaryInputs,
  type StageGraph,
  type StageGraphInit
} from './stage-graph.ts'
