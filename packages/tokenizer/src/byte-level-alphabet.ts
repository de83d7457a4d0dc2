/** GPT-2's alphabet, one letter a byte: printable Latin-1 characters stand for themselves, the rest for U+0100 and on. */
export const BYTE_LEVEL_ALPHABET: readonly string[] = alphabet()

/** The byte that a letter of {@link BYTE_LEVEL_ALPHABET} stands for. */
export const byteOfLetter: ReadonlyMap<string, number> = new Map(
  BYTE_LEVEL_ALPHABET.map((letter, byte) => [letter, byte])
)

function alphabet(): string[] {
  let shifted = 0
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xff && byte !== 0xad)
    return String.fromCodePoint(printable ? byte : 0x100 + shifted++)
  })
}
