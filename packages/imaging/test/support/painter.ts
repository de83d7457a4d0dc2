import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BlobStore, requireDiffusion } from '@resultity/interface'
import type { ServedDiffusion } from '@resultity/placement'
import { placeableDiffusion } from '@resultity/test-nodes'
import { PicturePromptEncoder } from '@resultity/tokenizer'
import type { Test } from 'tap'

const letters = ['a', 'b', 'c', 'a</w>', 'b</w>', 'c</w>']
const vocabulary = JSON.stringify({
  ...Object.fromEntries(letters.map((letter, id) => [letter, id])),
  '<|startoftext|>': 98,
  '<|endoftext|>': 99
})

/** A model that draws squares of 64 pixels, multiples of 8, and reads texts of a, b and c, each a token. */
export async function servedPainter(t: Test): Promise<ServedDiffusion> {
  const placeable = placeableDiffusion()
  const manifest = requireDiffusion(placeable.manifest)
  const folder = t.testdir({ vocabulary, merges: '#version: 0.2' })
  const pathOf = (sha256: string): string =>
    join(folder, sha256 === manifest.tokenizers[0]?.vocabulary.sha256 ? 'vocabulary' : 'merges')
  const store = {
    find: async (sha256: string) => pathOf(sha256),
    read: async (sha256: string) => readFileSync(pathOf(sha256))
  }
  const prompts = await PicturePromptEncoder.open(manifest, store as unknown as BlobStore)
  t.teardown(() => prompts[Symbol.asyncDispose]())
  const { config } = manifest
  return { id: 'painter', aliases: [], placeable, createdAt: 0, kind: 'diffusion', config, prompts }
}
