import { FileBlobStore } from '@resultity/blobs'
import { requireDecoder, weightFiles } from '@resultity/interface'
import { convertModel, readTokenizerFiles } from '@resultity/model'
import type { Variant } from './quantized-tiny-chat.ts'

/** Converts a GGUF file into weight files below `directory`. */
export async function convertGguf(
  path: string,
  directory: string,
  options: { readonly dequantize?: boolean } = {}
): Promise<Variant> {
  await using store = await FileBlobStore.open(directory)
  const tokenizerFiles = await readTokenizerFiles(path)
  const { manifest } = await convertModel(path, { store, name: 'converted', tokenizerFiles, ...options })
  const paths = new Map<string, string>()
  for (const { sha256 } of weightFiles(manifest)) {
    paths.set(sha256, (await store.find(sha256)) ?? '')
  }
  return { manifest: requireDecoder(manifest), weightPath: file => paths.get(file.sha256) ?? '' }
}
