import { gemma } from './families/gemma.ts'
import { gemma2 } from './families/gemma2.ts'
import { gemma3 } from './families/gemma3.ts'
import { gemma3Images } from './families/gemma3-images.ts'
import { idefics3 } from './families/idefics3.ts'
import { llama } from './families/llama.ts'
import { mistral } from './families/mistral.ts'
import { mistral3 } from './families/mistral3.ts'
import { mixtral } from './families/mixtral.ts'
import { phi3 } from './families/phi3.ts'
import { qwen2 } from './families/qwen2.ts'
import { qwen2Experts } from './families/qwen2-experts.ts'
import { qwen3 } from './families/qwen3.ts'
import { qwen3Experts } from './families/qwen3-experts.ts'
import { smollm3 } from './families/smollm3.ts'
import type { Family } from './family.ts'

/** The families that are supported. */
export const families: readonly Family[] = [
  llama,
  idefics3,
  smollm3,
  mistral,
  mistral3,
  mixtral,
  qwen2,
  qwen2Experts,
  qwen3,
  qwen3Experts,
  gemma,
  gemma2,
  gemma3,
  gemma3Images,
  phi3
]
