import { readFileSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { type PromptReply, type PromptRequest, type PromptThreadInit, toFailure } from './prompt-messages.ts'
import { createTokenizer, type ModelTokenizer } from './tokenizer.ts'

const { definitionPath, configPath, endTokenIds, limits }: PromptThreadInit = workerData
let tokenizer: ModelTokenizer | undefined

/** Read with the first prompt, so that what is wrong with the files is its answer. */
function load(): ModelTokenizer {
  const files = { definition: readFileSync(definitionPath), config: readFileSync(configPath), endTokenIds }
  tokenizer ??= createTokenizer(files, limits)
  return tokenizer
}

function encode(request: PromptRequest): Uint32Array<ArrayBuffer>[] {
  const own = tokenizer ?? load()
  if (request.type === 'chat') return [Uint32Array.from(own.encodeChat(request.messages, request.options))]
  return request.texts.map(text => Uint32Array.from(own.encode(text)))
}

parentPort?.on('message', (request: PromptRequest) => {
  const { id } = request
  let reply: PromptReply
  try {
    reply = { id, ids: encode(request) }
  } catch (error) {
    reply = { id, failure: toFailure(error) }
  }
  const buffers = 'ids' in reply ? reply.ids.map(ids => ids.buffer) : []
  parentPort?.postMessage(reply, buffers)
})
