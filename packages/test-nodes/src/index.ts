export { ManualClock } from './manual-clock.ts'
export { type Ring, readyReport, type ScriptedJob, ScriptedNode, ScriptedRing } from './scripted-node.ts'
export { advert, placeable, placeableEncoder, placeableSpeech } from './specimens.ts'
