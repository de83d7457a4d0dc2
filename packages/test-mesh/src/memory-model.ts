import type { DecoderManifest, LayerRange, WeightFile } from '@resultity/interface'

/** Whole numbers below it are exact in every float that hidden states travel as. */
const WORD = 2 ** 8
/** Values of a hidden state that carry its 32 bits; the others follow from them. */
const WORDS = 4

/** Stirs two numbers of 32 bits into one, so that each bit of either changes half of the result's. */
export function stir(a: number, b: number): number {
  let mixed = Math.imul(a ^ (b + 0x9e37_79b9), 0x85eb_ca6b)
  mixed ^= mixed >>> 13
  mixed = Math.imul(mixed ^ (b << 7), 0xc2b2_ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

/** What the weights in a file are to this arithmetic. */
function weightOf(file: WeightFile): number {
  return Number.parseInt(file.sha256.slice(0, 8), 16)
}

/** What a layer keeps of the positions so far, behind each of them: its KV cache. */
export type LayerMemory = number[]

export function emptyMemory(range: LayerRange): LayerMemory[] {
  return Array.from({ length: range.end - range.first }, () => [])
}

/** The state of a token before the first layer. */
export function embed(manifest: DecoderManifest, token: number): number {
  return stir(weightOf(manifest.embedding), token)
}

/** Takes a state through one layer: the result depends on the layer's weights and on all positions before. */
export function throughLayer(file: WeightFile, memory: LayerMemory, state: number): number {
  const remembered = stir(memory.at(-1) ?? weightOf(file), state)
  memory.push(remembered)
  return stir(remembered, weightOf(file))
}

/** How much each token is wanted next: sixteenths from 0 to 16, and one of them more than all others. */
export function logitsOf(manifest: DecoderManifest, state: number, logits: Float32Array): void {
  const wanted = stir(state, weightOf(manifest.head))
  for (let token = 0; token < logits.length; token++) logits[token] = (stir(wanted, token) & 0xff) / 16
  logits[wanted % logits.length] = 17
}

/** Writes a state as a hidden state; each value is a small whole number. */
export function writeHidden(state: number, hidden: Float32Array): void {
  for (let index = 0; index < hidden.length; index++) hidden[index] = valueAt(state, index)
}

/** The state in a hidden state. Where values do not fit each other, as after damage, it is another one. */
export function readHidden(hidden: Float32Array): number {
  let state = 0
  for (let index = WORDS - 1; index >= 0; index--) state = (state * WORD + (hidden[index] ?? 0)) >>> 0
  let read = state
  for (let index = 0; index < hidden.length; index++) {
    const value = hidden[index] ?? 0
    if (value !== valueAt(state, index)) read = stir(stir(read, index), Math.round(value * 4096))
  }
  return read
}

function valueAt(state: number, index: number): number {
  return index < WORDS ? Math.floor(state / WORD ** index) % WORD : stir(state, index) % WORD
}

/** The greedy answer of the whole model, computed without stages, sessions or chunks: what every route has to give. */
export function answerOf(
  manifest: DecoderManifest,
  prompt: readonly number[],
  tokensMax: number,
  endTokens: ReadonlySet<number> = new Set(manifest.tokenizer.endTokenIds)
): number[] {
  const memory = emptyMemory({ first: 0, end: manifest.config.layerCount })
  const logits = new Float32Array(manifest.config.vocabularySize)
  const answer: number[] = []
  const waiting = [...prompt]
  while (answer.length < tokensMax) {
    const token = waiting.shift()
    if (token === undefined) break
    let state = embed(manifest, token)
    for (const [index, file] of manifest.layers.entries()) state = throughLayer(file, memory[index] ?? [], state)
    if (waiting.length > 0) continue
    logitsOf(manifest, state, logits)
    const next = logits.indexOf(17)
    answer.push(next)
    if (endTokens.has(next)) break
    waiting.push(next)
  }
  return answer
}
