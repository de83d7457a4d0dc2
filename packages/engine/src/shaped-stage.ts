import type { LayerRange } from '@resultity/interface'
import type { StageShape } from './stage-shape.ts'

/** The part of a stage that is the same in every engine: the sizes that it shows. */
export abstract class ShapedStage {
  readonly range: LayerRange
  readonly first: boolean
  readonly last: boolean
  readonly hiddenSize: number
  readonly vocabularySize: number
  readonly contextLength: number
  readonly sessionsMax: number
  readonly layersShare: number

  constructor(shape: StageShape) {
    this.range = shape.range
    this.first = shape.first
    this.last = shape.last
    this.hiddenSize = shape.hiddenSize
    this.vocabularySize = shape.vocabularySize
    this.contextLength = shape.contextLength
    this.sessionsMax = shape.sessionsMax
    this.layersShare = shape.layersShare
  }
}
