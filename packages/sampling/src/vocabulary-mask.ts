import type { Grammar, GrammarState } from '@resultity/grammar'
import type { TokenVocabulary } from '@resultity/tokenizer'

/**
 * One bit for each token that may come at `state`.
 *
 * @throws MeshError `invalid_request` when that takes more work than the grammar's budget has
 */
export function allowedTokens(
  grammar: Grammar,
  state: GrammarState,
  { size, trie }: TokenVocabulary
): Uint32Array<ArrayBuffer> {
  const allowed = new Uint32Array(Math.ceil(size / 32))
  const { byte, depth, behind, tokensAt, tokens } = trie
  // the state before each byte of the path that is walked
  const path: GrammarState[] = new Array(trie.depthMax + 1)
  path[0] = state
  for (let node = 0; node < byte.length; ) {
    const level = depth[node] ?? 1
    const before = path[level - 1] ?? state
    const after = grammar.after(before, byte[node] ?? 0)
    if (after === undefined) {
      node = behind[node] ?? byte.length
      continue
    }
    path[level] = after
    const end = tokensAt[node + 1] ?? 0
    for (let at = tokensAt[node] ?? 0; at < end; at++) {
      const token = tokens[at] ?? 0
      allowed[token >>> 5] = (allowed[token >>> 5] ?? 0) | (1 << (token & 31))
    }
    node++
  }
  return allowed
}

export function isAllowed(allowed: Uint32Array, token: number): boolean {
  return (((allowed[token >>> 5] ?? 0) >>> (token & 31)) & 1) === 1
}

/** Sets the logits of tokens that are not `allowed` to −∞. */
export function forbidOthers(logits: Float32Array, allowed: Uint32Array): void {
  for (let word = 0; word < allowed.length; word++) {
    const bits = allowed[word] ?? 0
    if (bits === 0xffff_ffff) continue
    const from = word * 32
    const to = Math.min(from + 32, logits.length)
    if (bits === 0) logits.fill(Number.NEGATIVE_INFINITY, from, to)
    else for (let token = from; token < to; token++) if (!((bits >>> (token & 31)) & 1)) logits[token] = -Infinity
  }
}

/** The bytes of every token, one behind the other. */
export interface SpellingTable {
  readonly bytes: Uint8Array
  readonly starts: Uint32Array
}

export function spellingsOf({ size, trie }: TokenVocabulary): SpellingTable {
  const lengths = new Uint32Array(size)
  for (let node = 0; node < trie.byte.length; node++) {
    for (let at = trie.tokensAt[node] ?? 0; at < (trie.tokensAt[node + 1] ?? 0); at++) {
      lengths[trie.tokens[at] ?? 0] = trie.depth[node] ?? 0
    }
  }
  const starts = new Uint32Array(size + 1)
  for (let token = 0; token < size; token++) starts[token + 1] = (starts[token] ?? 0) + (lengths[token] ?? 0)
  const bytes = new Uint8Array(starts[size] ?? 0)
  const path = new Uint8Array(trie.depthMax)
  for (let node = 0; node < trie.byte.length; node++) {
    const depth = trie.depth[node] ?? 1
    path[depth - 1] = trie.byte[node] ?? 0
    for (let at = trie.tokensAt[node] ?? 0; at < (trie.tokensAt[node + 1] ?? 0); at++) {
      bytes.set(path.subarray(0, depth), starts[trie.tokens[at] ?? 0])
    }
  }
  return { bytes, starts }
}

/** The state after `token`; undefined when it may not come. */
export function afterToken(
  grammar: Grammar,
  state: GrammarState,
  token: number,
  { bytes, starts }: SpellingTable
): GrammarState | undefined {
  const end = starts[token + 1] ?? 0
  let at = starts[token] ?? 0
  let after: GrammarState | undefined = at < end ? state : undefined
  for (; at < end && after !== undefined; at++) after = grammar.after(after, bytes[at] ?? 0)
  return after
}
