import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  type ByteSource,
  type Ct2Model,
  ct2Number,
  ct2Tensors,
  disposeOnError,
  looksLikeCt2,
  openFileSource,
  openSafetensorsFolder,
  parseCt2,
  readFolderText,
  readOptionalFolderText
} from '@resultity/formats'
import { modelInvalid } from '@resultity/interface'
import { ct2Lists, hubFacts, type NamedText, type WhisperFacts, whisperConfig } from './config.ts'
import { CT2_TIED_HEAD, ct2Naming, hubNaming, TIED_HEAD } from './naming.ts'
import { readSpecialTokens, type SpecialTokens } from './special-tokens.ts'
import type { Side, WhisperSource } from './whisper-source.ts'
import { KERNEL, WhisperTensors } from './whisper-tensors.ts'

/** Where CTranslate2 keeps a model's weights. A pickle of PyTorch may have the same ending. */
export const CT2_WEIGHTS = 'model.bin'

/** Whether a folder holds a model of CTranslate2, of whatever kind. */
export function isCt2Folder(directory: string): boolean {
  const path = join(directory, CT2_WEIGHTS)
  if (!existsSync(path)) return false
  using file = openFileSource(path)
  return looksLikeCt2(file.read(0, Math.min(8, file.bytes)))
}

/**
 * Opens a folder as Hugging Face publishes Whispers. The caller disposes of it.
 *
 * @throws MeshError `model_invalid` for a field or a tensor that is wrong, missing or unknown
 */
export function openHubWhisper(directory: string): WhisperSource {
  const generation = join(directory, 'generation_config.json')
  const text = readOptionalFolderText(generation)
  const said = text === undefined ? undefined : { file: generation, text }
  const facts = hubFacts(configOf(directory), said)
  const config = whisperConfig(directory, facts, specialTokensOf(directory))
  const { tensors, dispose } = openSafetensorsFolder(directory)
  return disposeOnError(dispose, () => {
    const prefix = tensors.get('model.encoder.conv1.weight') === undefined ? '' : 'model.'
    const init = { file: directory, config, tensors, naming: hubNaming(prefix), tiedHead: TIED_HEAD }
    return { config, ...new WhisperTensors(init).collect(), [Symbol.dispose]: dispose }
  })
}

/**
 * Opens a folder as CTranslate2 converts Whispers. The caller disposes of it.
 *
 * @throws MeshError `model_invalid` for a field or a tensor that is wrong, missing or unknown
 */
export function openCt2Whisper(directory: string): WhisperSource {
  const file = openFileSource(join(directory, CT2_WEIGHTS))
  const dispose = (): void => file[Symbol.dispose]()
  return disposeOnError(dispose, () => {
    const model = parseCt2(file)
    if (model.spec !== 'WhisperSpec') {
      throw modelInvalid(file.name, `is a ${model.spec} of CTranslate2`, 'of its models, only Whispers are served')
    }
    checkSettings(file, model)
    const tensors = ct2Tensors(file, model)
    const facts = { ...sizesOf(file, model), ...ct2Lists(configOf(directory)), multilingual: undefined }
    const config = whisperConfig(file.name, facts, specialTokensOf(directory))
    const init = { file: file.name, config, tensors, naming: ct2Naming, tiedHead: CT2_TIED_HEAD }
    return { config, ...new WhisperTensors(init).collect(), [Symbol.dispose]: dispose }
  })
}

function configOf(directory: string): NamedText {
  const file = join(directory, 'config.json')
  return { file, text: readFolderText(file) }
}

function specialTokensOf(directory: string): SpecialTokens {
  const file = join(directory, 'tokenizer.json')
  return readSpecialTokens(file, readFolderText(file))
}

/** Numbers beside the weights that say how they are used, and what ours are used as; undefined: it does not matter here. */
const settings: Readonly<Record<string, number | undefined>> = {
  'encoder/num_heads': undefined,
  'decoder/num_heads': undefined,
  // how the converter would choose heads for word times; config.json names them
  'decoder/alignment_heads': undefined,
  'decoder/alignment_layer': undefined,
  // GELU with the error function, in CTranslate2's list
  'decoder/activation': 3,
  'decoder/alibi': 0,
  'decoder/alibi_use_positive_positions': undefined,
  'decoder/scale_alibi': undefined,
  'decoder/pre_norm': 1,
  'decoder/scale_embeddings': 0,
  'decoder/start_from_zero_embedding': 0,
  'decoder/multi_query_attention': 0
}

/** @throws MeshError `model_invalid` for a setting that would compute something else, or that is not known */
function checkSettings(file: ByteSource, model: Ct2Model): void {
  for (const { name, shape } of model.variables.values()) {
    if (shape.length > 0) continue
    const value = ct2Number(file, model, name)
    if (Object.hasOwn(settings, name) && (settings[name] ?? value) === value) continue
    throw modelInvalid(file.name, `its "${name}" is ${value ?? 'no whole number'}, which is not supported`)
  }
}

/** What the tensors' shapes say; whether they all agree is seen when each is looked for. */
function sizesOf(
  file: ByteSource,
  model: Ct2Model
): Omit<WhisperFacts, 'suppress' | 'suppressAtBegin' | 'alignmentHeads' | 'multilingual'> {
  const names = new Set([...model.variables.keys(), ...model.aliases.keys()])
  const shape = (name: string): readonly number[] => {
    const found = model.variables.get(model.aliases.get(name) ?? name)
    if (found === undefined) throw modelInvalid(file.name, `tensor "${name}" is missing`)
    return found.shape
  }
  const [hiddenSize = 0, melBins = 0, kernel] = shape('encoder/conv1/weight')
  if (kernel !== KERNEL)
    throw modelInvalid(file.name, `its first convolution has ${kernel ?? 'no'} taps, not ${KERNEL}`)
  const layers = (side: Side): number => {
    let count = 0
    while (names.has(`${side}/layer_${count}/ffn/linear_0/weight`)) count++
    return count
  }
  const wide = (side: Side): number => shape(`${side}/layer_0/ffn/linear_0/weight`)[0] ?? 0
  const headCount = (side: Side): number => ct2Number(file, model, `${side}/num_heads`) ?? 0
  const [vocabularySize = 0] = shape(ct2Naming.tables.tokens)
  return {
    melBins,
    hiddenSize,
    vocabularySize,
    audioContext: shape(ct2Naming.tables.audio_positions)[0] ?? 0,
    textContext: shape(ct2Naming.tables.text_positions)[0] ?? 0,
    encoderLayerCount: layers('encoder'),
    encoderHeadCount: headCount('encoder'),
    encoderFeedForwardSize: wide('encoder'),
    decoderLayerCount: layers('decoder'),
    decoderHeadCount: headCount('decoder'),
    decoderFeedForwardSize: wide('decoder')
  }
}
