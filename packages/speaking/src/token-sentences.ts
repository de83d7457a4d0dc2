/** Behind which a sentence is rather cut than elsewhere. */
const CLAUSE_END = /[,;:\u2013\u2014\u3001\uff0c\uff1b\uff1a]["'\u201d\u2019)\]]*$/

/** Finds where sentences end, in any language. */
const segmenter = new Intl.Segmenter('en', { granularity: 'sentence' })

/** Tokens of a text, between those that begin and end an input. */
export interface TokenReader {
  encode(text: string): number[]
}

/**
 * The sentences of a text as tokens, none with more than `tokensMax`: one that is longer is cut behind a clause, else behind a word, and
 * a word that is longer than all that anywhere.
 */
export function tokenSentences(text: string, tokenizer: TokenReader, tokensMax: number): number[][] {
  return [...segmenter.segment(text)]
    .flatMap(({ segment }) => cut(segment, tokenizer, tokensMax))
    .filter(({ length }) => length > 0)
}

interface Word {
  readonly ids: readonly number[]
  readonly endsClause: boolean
}

function cut(sentence: string, tokenizer: TokenReader, tokensMax: number): number[][] {
  const words = sentence
    .split(/\s+/)
    .filter(word => word !== '')
    .flatMap(word => wordsOf(word, tokenizer, tokensMax))
  const parts: number[][] = []
  for (let rest: readonly Word[] = words; rest.length > 0; ) {
    const count = fitting(rest, tokensMax)
    parts.push(rest.slice(0, count).flatMap(({ ids }) => ids))
    rest = rest.slice(count)
  }
  return parts
}

/** Tokens of a word are the same wherever it stands: no token goes over a space. */
function wordsOf(word: string, tokenizer: TokenReader, tokensMax: number): Word[] {
  // without those that frame an input
  const ids = tokenizer.encode(word).slice(1, -1)
  const pieces = Array.from({ length: Math.ceil(ids.length / tokensMax) }, (_, at) =>
    ids.slice(at * tokensMax, (at + 1) * tokensMax)
  )
  return pieces.map((piece, at) => ({ ids: piece, endsClause: at === pieces.length - 1 && CLAUSE_END.test(word) }))
}

/** How many words are said at once: all, or those up to the end of the last clause that fits, or as many as fit. */
function fitting(words: readonly Word[], tokensMax: number): number {
  let [count, tokens] = [0, 0]
  for (const { ids } of words) {
    if (tokens + ids.length > tokensMax) break
    tokens += ids.length
    count += 1
  }
  if (count === words.length) return count
  const clause = words.slice(0, count).findLastIndex(({ endsClause }) => endsClause) + 1
  return clause > 0 ? clause : count
}
