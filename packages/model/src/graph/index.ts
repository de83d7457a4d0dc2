export { buildEncoderGraph, type EncoderGraph, type EncoderGraphInit } from './encoder-graph.ts'
export { buildProbeGraph, type ProbeGraph } from './probe-graph.ts'
export { type RotaryTables, rotaryTables } from './rotary.ts'
export { buildStageGraph, type CacheEdge, type StageGraph, type StageGraphInit } from './stage-graph.ts'
