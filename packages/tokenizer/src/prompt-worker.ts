import { readFileSync } from 'node:fs'
import { workerData } from 'node:worker_threads'
import { serveTasks } from '@resultity/interface'
import type { PromptThreadInit, PromptWork } from './prompt-messages.ts'
import { createTokenizer, type ModelTokenizer } from './tokenizer.ts'

const { definitionPath, configPath, endTokenIds, limits }: PromptThreadInit = workerData
let tokenizer: ModelTokenizer | undefined

/** Read with the first prompt, so that what is wrong with the files is its answer. */
function load(): ModelTokenizer {
  const files = { definition: readFileSync(definitionPath), config: readFileSync(configPath), endTokenIds }
  tokenizer ??= createTokenizer(files, limits)
  return tokenizer
}

function encode(work: PromptWork): Uint32Array<ArrayBuffer>[] {
  const own = tokenizer ?? load()
  if (work.type === 'chat') return [Uint32Array.from(own.encodeChat(work.messages, work.options))]
  return work.texts.map(text => Uint32Array.from(own.encode(text)))
}

serveTasks((work: PromptWork) => {
  const result = encode(work)
  return { result, transfer: result.map(ids => ids.buffer) }
})
