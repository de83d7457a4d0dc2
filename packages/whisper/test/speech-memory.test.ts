import { fileURLToPath } from 'node:url'
import type { SpeechManifest } from '@resultity/interface'
import t from 'tap'
import { openHubWhisper, planWhisperFiles, sessionBytes, speechMemory, windowBytes } from '../src/index.ts'

/** The manifest of the tiny model, without its hashes. */
function tinyManifest(): SpeechManifest {
  using source = openHubWhisper(fileURLToPath(new URL('../../test/fixtures/tiny-whisper', import.meta.url)))
  const [embedding = { sha256: '', bytes: 0, tensors: [] }, ...layers] = planWhisperFiles(source).map(
    ({ layout }, index) => ({ sha256: String(index).padStart(64, '0'), ...layout })
  )
  const blob = { sha256: '0'.repeat(64), bytes: 1 }
  const tokenizer = { definition: blob, config: blob, endTokenIds: [] }
  return { version: 1, name: 'tiny', architecture: 'whisper', config: source.config, tokenizer, embedding, layers }
}

const manifest = tinyManifest()

t.test('a window has keys and values for each position of the encoder, a session for each of the decoder', async t => {
  const { config } = manifest
  // three decoder layers, keys and values, 32 numbers of 4 bytes
  t.equal(windowBytes(config), 3 * 2 * 1500 * 32 * 4)
  t.equal(sessionBytes(config), 3 * 2 * 448 * 32 * 4)
})

t.test('memory grows with windows and with their sessions, and with nothing else', async t => {
  const of = (windowsMax: number, sessionsPerWindow: number) =>
    speechMemory({ manifest, windowsMax, sessionsPerWindow })
  const [one, four, wide] = [of(1, 1), of(4, 1), of(4, 5)]
  t.equal(four.cacheBytes, 4 * one.cacheBytes)
  t.equal(wide.cacheBytes - four.cacheBytes, 4 * 4 * sessionBytes(manifest.config))
  for (const other of [four, wide]) t.match(other, { weightBytes: one.weightBytes, workBytes: one.workBytes })
})

t.test('a file that two layers share is counted once, and the head twice', async t => {
  const [first] = manifest.layers
  if (first === undefined) throw new Error('there are no layers')
  const shared = { ...manifest, layers: manifest.layers.map(() => first) }
  const { vocabularySize, hiddenSize } = manifest.config
  const { weightBytes } = speechMemory({ manifest: shared, windowsMax: 1, sessionsPerWindow: 1 })
  t.equal(weightBytes, manifest.embedding.bytes + first.bytes + vocabularySize * hiddenSize * 4)
})
