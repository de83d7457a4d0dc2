import { stat } from 'node:fs/promises'
import { type TokenizerFiles, tokenizerFilesFromDirectory, tokenizerFilesFromGguf } from '@resultity/tokenizer'
import { readGgufMetadata } from './gguf-files.ts'

/**
 * The tokenizer of a model folder or of a GGUF file.
 *
 * @throws MeshError `model_invalid`
 */
export async function readTokenizerFiles(
  path: string,
  options: { readonly signal?: AbortSignal } = {}
): Promise<TokenizerFiles> {
  if ((await stat(path)).isDirectory()) return await tokenizerFilesFromDirectory(path, options)
  return tokenizerFilesFromGguf(Object.fromEntries(readGgufMetadata(path)))
}
