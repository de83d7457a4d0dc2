import { statSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { hasSight, openBlip, openSight, planBlipFiles, planSightFiles } from '@resultity/blip'
import { isDiffusersFolder, openDiffusersFolder } from '@resultity/diffusion-model'
import type { WeightFilePlan } from '@resultity/formats'
import { decoderArchitecture, MeshError } from '@resultity/interface'
import {
  isBarkFolder,
  kokoroAt,
  openBark,
  openKokoro,
  openPiperVoice,
  piperVoiceAt,
  planBarkFiles
} from '@resultity/voice'
import { isCt2Folder, openCt2Whisper, openHubWhisper, planWhisperFiles } from '@resultity/whisper'
import type { ConvertReply, ConvertRequest, ConvertWorkerInit, ModelDescription } from './convert.ts'
import { planEncoderFiles } from './encoder-weight-file.ts'
import { openGguf } from './gguf-source.ts'
import { modelTypeOf, openEncoderDirectory, openSafetensorsDirectory } from './safetensors-source.ts'
import { planWeightFiles } from './weight-file.ts'

/** A model, described and laid out, before any of its weights is read. */
interface PlannedModel extends Disposable {
  readonly description: ModelDescription
  readonly files: readonly WeightFilePlan[]
}

function planModel({ path, dequantize, quantize }: ConvertWorkerInit): PlannedModel {
  using opening = new DisposableStack()
  const directory = isDirectory(path)
  const voice = piperVoiceAt(path)
  if (voice !== undefined) {
    const { config, file } = openPiperVoice(voice)
    return planned({ architecture: 'piper', config }, [file], opening)
  }
  const kokoro = kokoroAt(path)
  if (kokoro !== undefined) {
    const { config, file, styles } = openKokoro(kokoro)
    return planned({ architecture: 'kokoro', config }, [file, styles], opening)
  }
  if (isBarkFolder(path)) {
    const source = opening.use(openBark(path))
    const { layers, prompts } = planBarkFiles(source)
    const files = prompts === undefined ? layers : [...layers, prompts]
    return planned({ architecture: 'bark', config: source.config }, files, opening)
  }
  if (directory && isDiffusersFolder(path)) {
    const { config, parts, tokenizers, files } = opening.use(openDiffusersFolder(path))
    return planned({ architecture: 'diffusion', config, parts, tokenizers }, files, opening)
  }
  if (directory && modelTypeOf(path) === 'bert') {
    const source = opening.use(openEncoderDirectory(path))
    return planned({ architecture: 'bert', config: source.config }, planEncoderFiles(source), opening)
  }
  if (directory && (modelTypeOf(path) === 'whisper' || isCt2Folder(path))) {
    const source = opening.use(modelTypeOf(path) === 'whisper' ? openHubWhisper(path) : openCt2Whisper(path))
    return planned({ architecture: 'whisper', config: source.config }, planWhisperFiles(source), opening)
  }
  if (directory && modelTypeOf(path) === 'blip') {
    const source = opening.use(openBlip(path))
    return planned({ architecture: 'blip', config: source.config }, planBlipFiles(source), opening)
  }
  const source = opening.use(directory ? openSafetensorsDirectory(path) : openGguf(path))
  const { embedding, layers, head } = planWeightFiles(source, { dequantize, quantize })
  const { config } = source
  const description = { architecture: decoderArchitecture(config), config }
  const files = [embedding, ...layers, head]
  if (!directory || !hasSight(modelTypeOf(path))) return planned(description, files, opening)
  const sight = opening.use(openSight(path, config.hiddenSize))
  return planned({ ...description, sight: sight.config }, [...files, ...planSightFiles(sight)], opening)
}

function planned(
  description: ModelDescription,
  files: readonly WeightFilePlan[],
  opening: DisposableStack
): PlannedModel {
  const opened = opening.move()
  return { description, files, [Symbol.dispose]: () => opened.dispose() }
}

function isDirectory(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined) {
    throw new MeshError('model_not_found', `there is nothing at ${path}`, {
      hint: 'give a GGUF file or a folder with config.json and model.safetensors'
    })
  }
  return stats.isDirectory()
}

/** The conversation with the main thread: one reply per request, in order. */
function* replies(init: ConvertWorkerInit): Generator<ConvertReply> {
  using model = planModel(init)
  yield { kind: 'plan', description: model.description, layouts: model.files.map(file => file.layout) }
  for (const file of model.files) {
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
