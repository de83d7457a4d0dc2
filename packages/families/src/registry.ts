import { llama } from './families/llama.ts'
import { mistral } from './families/mistral.ts'
import type { Family } from './family.ts'

/** The families that are supported. */
export const families: readonly Family[] = [llama, mistral]
