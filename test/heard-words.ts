/** Words alone, in small letters, and numbers as they are said. */
export function wordsOf(text: string): string {
  return text
    .toLowerCase()
    .replaceAll('21', 'twenty one')
    .replaceAll('1999', 'nineteen ninety nine')
    .replaceAll('-', ' ')
    .replaceAll(/[^a-z ]/g, '')
    .replaceAll(/ +/g, ' ')
    .trim()
}

/** Words that were put in, left out or changed, at the least. */
export function wordErrors(wanted: string, heard: string): number {
  const words = heard.split(' ')
  let row = Array.from({ length: words.length + 1 }, (_, index) => index)
  for (const [index, word] of wanted.split(' ').entries()) {
    const next = [index + 1]
    for (const [at, other] of words.entries()) {
      const changed = (row[at] ?? 0) + (word === other ? 0 : 1)
      next.push(Math.min((row[at + 1] ?? 0) + 1, (next[at] ?? 0) + 1, changed))
    }
    row = next
  }
  return row.at(-1) ?? 0
}

/** Said by voices and heard back. */
export const sentences = [
  'The quick brown fox jumps over the lazy dog.',
  'Please send the letter to my office before noon.',
  'She opened the window and looked at the garden.',
  'We walked along the river until it was dark.',
  'Many machines can say one text at the same time.',
  'The weather is nice today, and the birds are singing.',
  'There are twenty one apples in the basket.',
  'He met the president in nineteen ninety nine.',
  'Could you tell me where the station is?',
  'It was a long day, but we finished the work.'
]
