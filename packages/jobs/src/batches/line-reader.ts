/** One line of a text file, without its end. */
export interface Line {
  /** From 1, blank lines counted. */
  readonly number: number
  /** Undefined when it cannot be read. */
  readonly text: string | undefined
  /** Why not. */
  readonly fault: 'too-long' | 'not-utf8' | undefined
}

const NEWLINE = 10

/**
 * Reads lines of UTF-8, whatever pieces the bytes come in. Blank lines are left out. One that is too long is not kept in
 * memory: it is passed over, and said to be.
 */
export async function* readLines(chunks: AsyncIterable<Uint8Array>, lineBytesMax: number): AsyncGenerator<Line> {
  const line = new LineBuffer(lineBytesMax)
  let number = 0
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      line.add(chunk.subarray(start, end))
      start = end + 1
      number++
      if (!line.blank) yield { number, ...line.read() }
      line.clear()
    }
    line.add(chunk.subarray(start))
  }
  // the last line need not end
  number++
  if (!line.blank) yield { number, ...line.read() }
}

class LineBuffer {
  readonly #bytesMax: number
  readonly #decoder = new TextDecoder('utf-8', { fatal: true })
  #pieces: Uint8Array[] = []
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  add(piece: Uint8Array): void {
    this.#bytes += piece.length
    if (this.#bytes > this.#bytesMax) this.#pieces = []
    else if (piece.length > 0) this.#pieces.push(piece)
  }

  clear(): void {
    this.#pieces = []
    this.#bytes = 0
  }

  get blank(): boolean {
    return this.#bytes <= this.#bytesMax && this.#pieces.every(piece => piece.every(isSpace))
  }

  read(): Pick<Line, 'text' | 'fault'> {
    if (this.#bytes > this.#bytesMax) return { text: undefined, fault: 'too-long' }
    try {
      return { text: this.#decoder.decode(Buffer.concat(this.#pieces)), fault: undefined }
    } catch {
      return { text: undefined, fault: 'not-utf8' }
    }
  }
}

function isSpace(byte: number): boolean {
  return byte === 32 || byte === 9 || byte === 13
}
