import picocolors from 'picocolors'
import { visible, visibleProse } from './visible.ts'

/** A part of a {@link text}: strings and numbers from anywhere, and text that is already safe for a terminal. */
export type Piece = string | number | Text

/**
 * Text that is safe for a terminal. Only the functions below make it, so that foreign text is never printed as it came.
 * Its only escape sequences are our own colours.
 */
export class Text {
  readonly #rendered: string

  private constructor(rendered: string) {
    this.#rendered = rendered
  }

  toString(): string {
    return this.#rendered
  }

  static render(literals: readonly string[], pieces: readonly Piece[]): Text {
    const rest = pieces.map((piece, index) => `${render(piece)}${literals[index + 1] ?? ''}`)
    return new Text(`${literals[0] ?? ''}${rest.join('')}`)
  }

  static prose(content: string): Text {
    return new Text(visibleProse(content))
  }

  static colour(paint: (plain: string) => string, content: Piece): Text {
    return new Text(paint(render(content)))
  }

  static join(parts: readonly Piece[], separator: string): Text {
    return new Text(parts.map(render).join(separator))
  }
}

/** A template. Its own text is printed as it stands; inserted values are shown on one line, whatever they contain. */
export function text(literals: TemplateStringsArray, ...pieces: readonly Piece[]): Text {
  return Text.render(literals, pieces)
}

/** Running text from elsewhere, such as an answer: its line breaks and tabs stay. */
export function prose(content: string): Text {
  return Text.prose(content)
}

/** @param separator printed as it stands */
export function joined(parts: readonly Piece[], separator: string): Text {
  return Text.join(parts, separator)
}

/**
 * Colours on a terminal, unless NO_COLOR is set. The library would also colour everything that runs in CI: logs, pipes.
 */
const pc = picocolors.createColors(picocolors.isColorSupported && process.stdout.isTTY === true)

export const dim = (content: Piece): Text => Text.colour(pc.dim, content)
export const bold = (content: Piece): Text => Text.colour(pc.bold, content)
export const red = (content: Piece): Text => Text.colour(pc.red, content)
export const green = (content: Piece): Text => Text.colour(pc.green, content)
export const yellow = (content: Piece): Text => Text.colour(pc.yellow, content)
export const cyan = (content: Piece): Text => Text.colour(pc.cyan, content)

function render(piece: Piece): string {
  return piece instanceof Text ? piece.toString() : visible(String(piece))
}
