import { MeshError } from '@resultity/interface'
import type { TokenizerFiles } from '@resultity/tokenizer'
import {
  createClipTokenizer,
  createEncoderTokenizer,
  createTokenizer,
  FRAMING_TOKENS,
  type ModelTokenizer
} from '@resultity/tokenizer'
import type { DiffusionDescription, ModelDescription } from './convert.ts'

/**
 * Tries what serving does with a model's tokenizer and chat template, so that who imports a model learns what who asks it
 * would.
 *
 * @throws MeshError `model_invalid`
 */
export function checkServable(files: TokenizerFiles | undefined, description: ModelDescription): void {
  if (description.architecture === 'diffusion') {
    checkClipTokenizers(description)
    return
  }
  if (description.architecture === 'piper' || description.architecture === 'kokoro' || files === undefined) return
  if (description.architecture === 'bert') {
    createEncoderTokenizer(files.definition, description.config)
    return
  }
  if (description.architecture === 'bark') {
    const { textOffset, inputVocabularySize, inputLength } = description.config.semantic
    const limits = { vocabularySize: inputVocabularySize - textOffset, contextLength: inputLength + FRAMING_TOKENS }
    createEncoderTokenizer(files.definition, limits)
    return
  }
  if (description.architecture === 'blip') {
    const { vocabularySize, textContext } = description.config
    createEncoderTokenizer(files.definition, { vocabularySize, contextLength: textContext })
    return
  }
  if (description.architecture === 'whisper') {
    const { vocabularySize, textContext } = description.config
    createTokenizer(files, { vocabularySize, contextLength: textContext })
    return
  }
  checkConversation(createTokenizer(files, description.config))
}

function checkClipTokenizers({ tokenizers, config }: DiffusionDescription): void {
  const encoder = new TextEncoder()
  for (const [index, tokens] of config.textEncoders.entries()) {
    const { vocabulary = '', merges = '' } = tokenizers[index] ?? {}
    createClipTokenizer({ vocabulary: encoder.encode(vocabulary), merges: encoder.encode(merges) }, tokens)
  }
}

const question = { role: 'user', content: 'What is the capital of France?' } as const
/** A template may want the system to speak first. */
const conversations = [[question], [{ role: 'system', content: 'Answer in one word.' }, question]] as const

function checkConversation(tokenizer: ModelTokenizer): void {
  let failure: MeshError | undefined
  for (const messages of conversations) {
    try {
      tokenizer.applyChatTemplate(messages)
      return
    } catch (error) {
      failure ??= MeshError.from(error)
    }
  }
  throw new MeshError(
    'model_invalid',
    `the chat template writes no conversation of one question (${failure?.message})`,
    {
      hint: 'Correct the template in the model, take it out to have turns written plainly, or use another version of the model.',
      cause: failure
    }
  )
}

/** `error` with the model's path in its message, where it has not named a file of it already. */
export function namingModel(path: string, error: unknown): unknown {
  if (!(error instanceof MeshError) || error.code !== 'model_invalid' || error.message.includes(path)) return error
  const { code, message, hint, details } = error
  return new MeshError(code, `${path}: ${message}`, { hint, details, cause: error })
}
