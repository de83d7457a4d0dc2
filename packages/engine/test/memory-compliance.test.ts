import { answerOf, MemoryEngine } from '@resultity/test-mesh'
import t from 'tap'
import { engineCompliance } from './compliance.ts'
import { END_TOKEN } from './tiny-chat.ts'

/** An answer of a pipeline in these tests has no end token, and no more tokens. */
const TOKENS_MAX = 64

engineCompliance(t, {
  name: 'memory',
  create: async () => new MemoryEngine(),
  answer: ({ manifest }, prompt) => answerOf(manifest, prompt, TOKENS_MAX).filter(token => token !== END_TOKEN),
  readsFiles: false
})
