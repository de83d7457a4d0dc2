import { createHash } from 'node:crypto'
import { MeshError, type ModelRecipe } from '@resultity/interface'

/** Raised when conversion gives other bytes of the same files: a recipe of another version is refused, not guessed at. */
export const CONVERTER_VERSION = 2

/**
 * Names of the weight files that a recipe makes, in the manifest's order: embedding, layers, head. A name is the hash of how
 * the file is made, so it is the same on every machine before anybody has made it.
 */
export function fileNames(recipe: ModelRecipe, count: number): string[] {
  const { repository, commit, converter, quantize = 'auto', files } = recipe
  // the order of fields here, and not that of whoever built the object, decides the hash
  const text = JSON.stringify([
    'resultity-recipe-2',
    repository,
    commit,
    converter,
    quantize,
    files.map(({ path, bytes, digest }) => [path, bytes, digest.kind, digest.hex])
  ])
  return Array.from({ length: count }, (_, index) => createHash('sha256').update(`${text}\n${index}`).digest('hex'))
}

/** Whether a file of a recipe holds weights, which are read by ranges. */
export function isWeights(file: { readonly path: string }): boolean {
  return file.path.endsWith('.safetensors') || isGguf(file)
}

/** Whether it holds all that is known of a model, too. */
export function isGguf({ path }: { readonly path: string }): boolean {
  return path.endsWith('.gguf')
}

/** What one of these files is, for people. */
export function describeFile(index: number, count: number): string {
  if (index === 0) return 'the embedding'
  return index === count - 1 ? 'the head' : `layer ${index - 1}`
}

/** @throws MeshError `model_invalid` when this version converts otherwise than the recipe says */
export function requireConverter({ converter, repository }: ModelRecipe): void {
  if (converter === CONVERTER_VERSION) return
  throw new MeshError(
    'model_invalid',
    `${repository} is to be converted as version ${converter} does, and this is version ${CONVERTER_VERSION}`,
    { hint: 'Node and coordinator are of different versions; upgrade the older one.' }
  )
}
