/**
 * The tokens of a vocabulary as a tree over their bytes, flat: its nodes in the order of a walk that goes down first,
 * so that going on is the next index and passing a branch over is one jump.
 */
export interface VocabularyTrie {
  /** The byte that leads to each node. */
  readonly byte: Uint8Array<ArrayBuffer>
  /** How many bytes lead to each node, from 1 up. */
  readonly depth: Uint16Array<ArrayBuffer>
  /** The first node that is not below this one. */
  readonly behind: Uint32Array<ArrayBuffer>
  /** Where each node's tokens begin in `tokens`; the next node's entry is where they end. */
  readonly tokensAt: Uint32Array<ArrayBuffer>
  /** Token ids. */
  readonly tokens: Uint32Array<ArrayBuffer>
  /** Bytes of the longest token. */
  readonly depthMax: number
}

/** Longer tokens, such as runs of white space, are left out: the same text can be written with shorter ones. */
export const TOKEN_BYTES_MAX = 512

/**
 * @param spellings bytes of each token id; undefined or empty for one that stands for no text
 */
export function buildVocabularyTrie(spellings: readonly (Uint8Array | undefined)[]): VocabularyTrie {
  const spelled = spellings.flatMap((bytes, id) =>
    bytes === undefined || bytes.length === 0 || bytes.length > TOKEN_BYTES_MAX ? [] : [{ id, bytes }]
  )
  spelled.sort((a, b) => Buffer.compare(a.bytes, b.bytes) || a.id - b.id)
  const nodesMax = spelled.reduce((sum, { bytes }) => sum + bytes.length, 0)
  const byte = new Uint8Array(nodesMax)
  const depth = new Uint16Array(nodesMax)
  const behind = new Uint32Array(nodesMax)
  const tokensAt = new Uint32Array(nodesMax + 1)
  const tokens = Uint32Array.from(spelled, ({ id }) => id)
  // nodes from the root to the last one made
  const path: number[] = []
  let before: Uint8Array = new Uint8Array()
  let count = 0
  let taken = 0
  const leave = (length: number): void => {
    while (path.length > length) behind[path.pop() ?? 0] = count
  }
  for (const { bytes } of spelled) {
    leave(commonLength(before, bytes))
    while (path.length < bytes.length) {
      byte[count] = bytes[path.length] ?? 0
      path.push(count)
      depth[count] = path.length
      tokensAt[count] = taken
      count++
    }
    taken++
    before = bytes
  }
  leave(0)
  tokensAt[count] = taken
  return {
    byte: byte.slice(0, count),
    depth: depth.slice(0, count),
    behind: behind.slice(0, count),
    tokensAt: tokensAt.slice(0, count + 1),
    tokens,
    depthMax: spelled.reduce((longest, { bytes }) => Math.max(longest, bytes.length), 0)
  }
}

function commonLength(one: Uint8Array, other: Uint8Array): number {
  let length = 0
  while (length < one.length && length < other.length && one[length] === other[length]) length++
  return length
}
