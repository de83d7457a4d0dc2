import type { PictureReader, ShownStates } from '@resultity/engine'
import { MeshError, PICTURE_PIECES_MAX, pieceBytes, statesOfPiece, type WorkClass } from '@resultity/interface'

export interface ShownPiecesInit {
  readonly reader: PictureReader
  /** Numbers of a state. */
  readonly hiddenSize: number
  readonly promptCount: number
  readonly workClass: WorkClass
}

interface Piece {
  /** Where its first state is read. */
  readonly position: number
  /** Undefined once it was looked at. */
  pixels: Uint8Array | undefined
  states: Float32Array | undefined
}

/** The pieces of pictures that a prompt shows: kept as pixels until the step that reads them, and as states until all are read. */
export class ShownPieces implements Disposable {
  readonly #init: ShownPiecesInit
  readonly #count: number
  readonly #pieces: Piece[] = []
  readonly #ended = new AbortController()
  #looked = 0

  constructor(init: ShownPiecesInit) {
    this.#init = init
    this.#count = statesOfPiece(init.reader.config)
  }

  /** Pieces that were looked at. */
  get looked(): number {
    return this.#looked
  }

  /** @throws MeshError `protocol_violation` for one that is out of order, too large, or one too many */
  add(position: number, pixels: Uint8Array): void {
    const { reader, promptCount } = this.#init
    const free = (this.#pieces.at(-1)?.position ?? -this.#count) + this.#count
    if (position < free || position + this.#count > promptCount) {
      throw violation(`a piece of a picture came for position ${position}, of ${promptCount} from ${free} on`)
    }
    if (this.#pieces.length === PICTURE_PIECES_MAX) throw violation(`more than ${PICTURE_PIECES_MAX} pieces came`)
    const bytes = pieceBytes(reader.config)
    if (pixels.length !== bytes) throw violation(`a piece of ${pixels.length} bytes came, of ${bytes}`)
    // a frame's bytes are the stream's
    this.#pieces.push({ position, pixels: pixels.slice(), states: undefined })
  }

  /**
   * What `count` positions from `at` on are shown. Looks at the pieces that are new among them.
   *
   * @throws MeshError as `PictureReader.read`
   */
  async in(at: number, count: number): Promise<ShownStates[]> {
    const { hiddenSize } = this.#init
    const shown: ShownStates[] = []
    for (const piece of this.#pieces) {
      const first = Math.max(at, piece.position)
      const end = Math.min(at + count, piece.position + this.#count)
      if (first >= end) continue
      const states = await this.#statesOf(piece)
      const rows = [first - piece.position, end - piece.position].map(row => row * hiddenSize)
      shown.push({ at: first - at, states: states.subarray(rows[0], rows[1]) })
      if (end === piece.position + this.#count) piece.states = undefined
    }
    return shown
  }

  /** Breaks off what is being looked at. */
  [Symbol.dispose](): void {
    this.#ended.abort(new MeshError('canceled', 'the session has ended'))
    this.#pieces.length = 0
  }

  async #statesOf(piece: Piece): Promise<Float32Array> {
    const { reader, workClass } = this.#init
    const { pixels } = piece
    if (pixels !== undefined) {
      piece.states = await reader.read(pixels, { signal: this.#ended.signal, workClass })
      piece.pixels = undefined
      this.#looked++
    }
    return piece.states ?? new Float32Array(0)
  }
}

function violation(message: string): MeshError {
  return new MeshError('protocol_violation', message)
}
