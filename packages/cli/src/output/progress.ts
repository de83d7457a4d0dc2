import ora, { type Ora } from 'ora'
import type { Output } from './output.ts'
import { type Piece, type Text, text } from './text.ts'

/** Without a terminal, one line is printed for each such part of a step. */
const LINE_EVERY_FRACTION = 0.25

export interface ProgressStep {
  readonly text: string
  /** Between 0 and 1; undefined where the end is unknown. */
  readonly fraction?: number | undefined
}

/** Shows long steps: a spinner at a terminal, a line now and then in a log. */
export class Progress implements Disposable {
  readonly #out: Output
  readonly #spinner: Ora | undefined
  #last: ProgressStep | undefined

  constructor(out: Output) {
    const { stream } = out
    this.#out = out
    // with a terminal of unknown width, ora would erase lines for ever; stdin is left to the commands that read it
    this.#spinner = stream.isTTY && stream.columns > 0 ? ora({ stream, discardStdin: false }) : undefined
  }

  /** Shows the current step; may be called often. */
  show(step: ProgressStep): void {
    if (this.#spinner) {
      this.#spinner.start(format(step).toString())
      return
    }
    const isNews =
      this.#last?.text !== step.text || (step.fraction ?? 0) - (this.#last.fraction ?? 0) >= LINE_EVERY_FRACTION
    if (!isNews) return
    this.#last = step
    this.#out.print(text`${format(step)}\n`)
  }

  /** A line that stays. */
  note(line: Piece): void {
    this.#spinner?.clear()
    this.#out.print(text`${line}\n`)
  }

  /** Ends the spinner and leaves nothing of it. */
  [Symbol.dispose](): void {
    this.#spinner?.stop()
  }
}

function format({ text: what, fraction }: ProgressStep): Text {
  return fraction === undefined ? text`${what} …` : text`${what} … ${Math.floor(fraction * 100)} %`
}
