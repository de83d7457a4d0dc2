export { type DescriptionInit, describePicture, type TokenChooser } from './driver/describe-picture.ts'
export { type CaptionMemory, type CaptionMemoryInit, captionMemory } from './graph/caption-memory.ts'
export type { BlipGraphInit } from './graph/located-files.ts'
export { buildSightGraph, type SightGraph } from './graph/sight-graph.ts'
export { buildCaptionTextGraph, type CaptionTextGraph } from './graph/text-graph.ts'
export type { BlipSource } from './import/blip-source.ts'
export { openBlip } from './import/open-blip.ts'
export { planBlipFiles, planSightFiles } from './import/weight-files.ts'
export { lookedAt } from './picture/looked-at.ts'
export { hasSight, openSight } from './sight/open-sight.ts'
export {
  buildPictureReaderGraph,
  type PictureReaderGraph,
  type PictureReaderGraphInit
} from './sight/picture-reader-graph.ts'
export { type SightMemory, sightMemory } from './sight/sight-memory.ts'
export type { SightSource } from './sight/sight-source.ts'
