export { ManualClock } from './manual-clock.ts'
export { field, number } from './onnx-writer.ts'
export { type Ring, readyReport, type ScriptedJob, ScriptedNode, ScriptedRing } from './scripted-node.ts'
export {
  advert,
  placeable,
  placeableCaptioner,
  placeableDiffusion,
  placeableEncoder,
  placeableKokoro,
  placeableSpeech,
  placeableVoice
} from './specimens.ts'
export {
  TINY_KOKORO_SAMPLES,
  TINY_STYLE_ROWS,
  type TinyKokoro,
  type TinyKokoroInit,
  tinyKokoro
} from './tiny-kokoro.ts'
export { TINY_SAMPLE_RATE, TINY_SAMPLES, type TinyVoice, type TinyVoiceInit, tinyVoice } from './tiny-voice.ts'
