/** Punctuation that a voice hears: a pause or a tone. */
export type Mark = '.' | '?' | '!' | ',' | ';' | ':'

/** What a text is made of once everything in it is words. */
export type Token =
  | { readonly kind: 'word'; readonly text: string }
  /** Said letter by letter, as `FBI`; with an ending, as `FBI's` and `PCs`. Basic Latin letters alone. */
  | { readonly kind: 'letters'; readonly text: string; readonly ending: boolean }
  | { readonly kind: 'mark'; readonly mark: Mark }
  /** Where a sentence ends whatever stands there: between paragraphs. */
  | { readonly kind: 'break' }

export function words(text: string): Token[] {
  return text
    .split(' ')
    .filter(word => word !== '')
    .map(word => ({ kind: 'word', text: word }))
}

export function letters(text: string, ending = false): Token {
  return { kind: 'letters', text, ending }
}

export function mark(which: Mark): Token {
  return { kind: 'mark', mark: which }
}
