/**
 * The text of WordPiece tokens as BERT's tokenizer joins them: a piece that continues a word stands close to what is before it,
 * every other behind a space, and of the spaces those before marks and around apostrophes are taken out again.
 *
 * @param continuation what pieces begin with that continue a word: `##`
 */
export function wordPieceText(pieces: readonly string[], continuation: string): string {
  let text = ''
  for (const piece of pieces) {
    if (text === '') text = piece
    else text += piece.startsWith(continuation) ? piece.slice(continuation.length) : ` ${piece}`
  }
  return closed(text)
}

/** As transformers' `clean_up_tokenization`, one replacement after the other. */
const replacements = [
  [' .', '.'],
  [' ?', '?'],
  [' !', '!'],
  [' ,', ','],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"]
] as const

function closed(text: string): string {
  return replacements.reduce((joined, [from, to]) => joined.replaceAll(from, to), text)
}
