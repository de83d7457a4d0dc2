export { ManualClock } from './manual-clock.ts'
export { type Ring, readyReport, type ScriptedJob, ScriptedNode, ScriptedRing } from './scripted-node.ts'
export {
  advert,
  placeable,
  placeableCaptioner,
  placeableDiffusion,
  placeableEncoder,
  placeableSpeech,
  placeableVoice
} from './specimens.ts'
export {
  field,
  number,
  TINY_SAMPLE_RATE,
  TINY_SAMPLES,
  type TinyVoice,
  type TinyVoiceInit,
  tinyVoice
} from './tiny-voice.ts'
