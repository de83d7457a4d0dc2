import { requireDiffusion } from '@resultity/interface'
import type { ServedDiffusion } from '@resultity/placement'
import { placeableDiffusion } from '@resultity/test-nodes'
import { createClipTokenizer } from '@resultity/tokenizer'

const letters = ['a', 'b', 'c', 'a</w>', 'b</w>', 'c</w>']

/** A model that draws squares of 64 pixels, multiples of 8, and reads texts of a, b and c, each a token. */
export function servedPainter(): ServedDiffusion {
  const placeable = placeableDiffusion()
  const { config } = requireDiffusion(placeable.manifest)
  const vocabulary = Object.fromEntries([
    ...letters.map((letter, id) => [letter, id]),
    ['<|startoftext|>', 98],
    ['<|endoftext|>', 99]
  ])
  const files = {
    vocabulary: new TextEncoder().encode(JSON.stringify(vocabulary)),
    merges: new TextEncoder().encode('#version: 0.2\n')
  }
  const tokenizers = config.textEncoders.map(tokens => createClipTokenizer(files, tokens))
  return { id: 'painter', aliases: [], placeable, createdAt: 0, kind: 'diffusion', config, tokenizers }
}
