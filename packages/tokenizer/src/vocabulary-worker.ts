import { readFileSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { readVocabulary, type VocabularyReply, type VocabularyWorkerInit } from './vocabulary.ts'
import type { VocabularyTrie } from './vocabulary-trie.ts'

const { definitionPath, vocabularySize }: VocabularyWorkerInit = workerData

/** Handed over, not copied. */
function buffersOf({ byte, depth, behind, tokensAt, tokens }: VocabularyTrie): ArrayBuffer[] {
  return [byte.buffer, depth.buffer, behind.buffer, tokensAt.buffer, tokens.buffer]
}

let reply: VocabularyReply
try {
  reply = { vocabulary: readVocabulary(readFileSync(definitionPath), vocabularySize) }
} catch (error) {
  reply = { failure: error instanceof Error ? error.message : String(error) }
}
parentPort?.postMessage(reply, 'vocabulary' in reply ? buffersOf(reply.vocabulary.trie) : [])
