import { statSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { MeshError } from '@resultity/interface'
import type { ConvertReply, ConvertRequest, ConvertWorkerInit } from './convert.ts'
import { openGguf } from './gguf-source.ts'
import type { ModelSource } from './model-source.ts'
import { openSafetensorsDirectory } from './safetensors-source.ts'
import { planWeightFiles } from './weight-file.ts'

function openModel(path: string): ModelSource {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined) {
    throw new MeshError('model_not_found', `there is nothing at ${path}`, {
      hint: 'give a GGUF file or a folder with config.json and model.safetensors'
    })
  }
  return stats.isDirectory() ? openSafetensorsDirectory(path) : openGguf(path)
}

/** The conversation with the main thread: one reply per request, in order. */
function* replies({ path, dequantize }: ConvertWorkerInit): Generator<ConvertReply> {
  using source = openModel(path)
  const { embedding, layers, head } = planWeightFiles(source, { dequantize })
  const files = [embedding, ...layers, head]
  yield { kind: 'plan', config: source.config, layouts: files.map(file => file.layout) }
  for (const file of files) {
    for (const chunk of file.chunks()) yield { kind: 'chunk', chunk }
    yield { kind: 'file-end' }
  }
}

function nextReply(conversation: Generator<ConvertReply>): ConvertReply {
  try {
    const { value } = conversation.next()
    return value ?? { kind: 'failure', code: 'internal', message: 'asked for more than the model has', hint: undefined }
  } catch (error) {
    const { code, message, hint } = MeshError.from(error)
    return { kind: 'failure', code, message, hint }
  }
}

const conversation = replies(workerData)
parentPort?.on('message', (_request: ConvertRequest) => {
  const reply = nextReply(conversation)
  parentPort?.postMessage(reply, reply.kind === 'chunk' ? [reply.chunk.buffer] : [])
})
