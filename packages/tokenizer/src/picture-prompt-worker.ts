import { readFileSync } from 'node:fs'
import { workerData } from 'node:worker_threads'
import { serveTasks } from '@resultity/interface'
import { type ClipTokenizer, createClipTokenizer } from './clip-tokenizer.ts'
import type { PicturePromptThreadInit, PicturePromptWork } from './picture-prompt-messages.ts'
import { encodePicturePrompts } from './picture-prompts.ts'

const { encoders }: PicturePromptThreadInit = workerData
let tokenizers: readonly ClipTokenizer[] | undefined

/** Read with the first prompt, so that what is wrong with the files is its answer. */
function load(): readonly ClipTokenizer[] {
  tokenizers ??= encoders.map(({ vocabularyPath, mergesPath, tokens }) =>
    createClipTokenizer({ vocabulary: readFileSync(vocabularyPath), merges: readFileSync(mergesPath) }, tokens)
  )
  return tokenizers
}

serveTasks(({ texts, chunksMax }: PicturePromptWork) => ({
  result: encodePicturePrompts(load(), texts, { chunksMax })
}))
