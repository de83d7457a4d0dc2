import type { ClipTokens } from './clip-tokenizer.ts'
import type { PromptTexts } from './picture-prompts.ts'

/** What the thread that reads prompts of pictures begins with, for each text encoder of its model. */
export interface PicturePromptThreadInit {
  readonly encoders: readonly {
    readonly vocabularyPath: string
    readonly mergesPath: string
    readonly tokens: ClipTokens
  }[]
}

/** What it is asked; it answers with `PicturePrompts`. */
export interface PicturePromptWork {
  readonly texts: PromptTexts
  readonly chunksMax: number
}
