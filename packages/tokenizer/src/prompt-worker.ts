import { readFileSync } from 'node:fs'
import { workerData } from 'node:worker_threads'
import { serveTasks, type TaskResult } from '@resultity/interface'
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

function handedOver(ids: readonly number[][]): TaskResult {
  const result = ids.map(each => Uint32Array.from(each))
  return { result, transfer: result.map(each => each.buffer) }
}

serveTasks((work: PromptWork) => {
  const own = tokenizer ?? load()
  if (work.type === 'texts') return handedOver(work.texts.map(text => own.encode(text)))
  const { type, messages, options } = work
  if (type === 'template') return { result: own.applyChatTemplate(messages, options) }
  return handedOver([own.encodeChat(messages, options)])
})
