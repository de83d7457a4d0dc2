/** Unicode's category "other", less what counts as space: control, format, private use, not assigned, lone surrogates. */
const CONTROL = /(?![\t\n\r])[\p{C}\ufffd]/gu
/** CJK ideographs as transformers' tokenizers list them: each is a word. */
const IDEOGRAPH =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b820}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu
/** Names of the tokens that frame a text, ends of English words, runs of letters, single digits, runs of all else but space. */
const WORD = /<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+/gu

/**
 * Cuts a text into words as transformers' `CLIPTokenizer` does, in the order of the reference: without what does not print, composed,
 * in small letters, with one space for many. ftfy, which a few installations have beside it, would undo wrong encodings, too.
 */
export function clipWords(text: string): string[] {
  const even = text.replaceAll(CONTROL, '').replaceAll(IDEOGRAPH, ' $& ').normalize('NFC')
  // word by word: a last sigma has a letter of its own
  const small = even.split(/\s+/u).map(word => word.toLowerCase())
  return small.join(' ').match(WORD) ?? []
}
