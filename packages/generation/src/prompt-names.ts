import { createHash, createHmac } from 'node:crypto'
import { sharedPrefillSteps } from '@resultity/interface'
import { PREFIX_BLOCKS_MAX } from '@resultity/wire'

/** Bytes of a name. The others of its hash are told to nobody. */
const NAME_BYTES = 16

/** Shorter steps have no names: there would be too many, and one of one position cannot be told from a step of the answer. */
const STEP_MIN = 16

/** A piece of a picture in a prompt. */
export interface ShownContent {
  readonly position: number
  /** Positions at which it is read. */
  readonly count: number
  /** SHA-256 of its pixels. */
  readonly digest: Uint8Array
}

/** Whose tokens they are, and what computes them. */
export interface NamedPrompt {
  /** Of who asks. Prompts of two namespaces have no names in common. */
  readonly namespace: string
  readonly placementId: string
  readonly manifestSha256: string
  readonly prompt: readonly number[]
  /** What it shows: where that begins, and what tells pictures apart. Default: no pictures. */
  readonly shown?: readonly ShownContent[] | undefined
  /** Positions of one prefill step. */
  readonly prefillChunk: number
}

/**
 * Gives names to what the first steps of prompts leave in caches, so that stages find what two prompts have in common. A name
 * stands for all tokens and pictures up to the end of its step. It is made with a secret that nobody else has, so that a node that sees names
 * can neither guess the tokens nor ask for those of another namespace.
 */
export class PromptNames {
  readonly #secret: Uint8Array

  /** @param secret 32 random bytes, told to nobody; what was kept under those of another secret is not found again */
  constructor(secret: Uint8Array) {
    this.#secret = secret
  }

  /** Whether a prompt of so many tokens has names. */
  areFor(promptCount: number, prefillChunk: number): boolean {
    return prefillChunk >= STEP_MIN && sharedPrefillSteps(promptCount, prefillChunk) > 0
  }

  /** A name for each step but the last: 32 hexadecimal digits. None where steps are short. */
  of({ namespace, placementId, manifestSha256, prompt, prefillChunk, shown = [] }: NamedPrompt): readonly string[] {
    if (!this.areFor(prompt.length, prefillChunk)) return []
    const count = Math.min(sharedPrefillSteps(prompt.length, prefillChunk), PREFIX_BLOCKS_MAX)
    const whose = JSON.stringify([namespace, placementId, manifestSha256, prefillChunk])
    let hash = createHmac('sha256', this.#secret).update(whose).digest()
    return Array.from({ length: count }, (_, index) => {
      const tokens = Uint32Array.from(prompt.slice(index * prefillChunk, (index + 1) * prefillChunk))
      const step = createHash('sha256').update(hash).update(tokens)
      const [start, end] = [index * prefillChunk, (index + 1) * prefillChunk]
      for (const { position, count, digest } of shown) {
        if (position < end && position + count > start) step.update(Uint32Array.of(position)).update(digest)
      }
      hash = step.digest()
      return hash.toString('hex', 0, NAME_BYTES)
    })
  }
}
