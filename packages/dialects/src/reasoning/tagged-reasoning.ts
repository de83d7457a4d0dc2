import type { Prelude, PreludePart } from '@resultity/interface'
import { begunLength } from '../text/marks.ts'
import {
  type AnswerReasoning,
  NOTHING,
  type ReadText,
  type ReasoningFormat,
  type ReasoningReader
} from './reasoning-format.ts'

export interface ReasoningTags {
  /** In parts: a name of a special token is one of its own. */
  readonly open: readonly string[]
  readonly close: string
}

/** Reasoning between two tags, before the answer. */
export class TaggedReasoning implements ReasoningFormat {
  readonly #tags: ReasoningTags

  constructor(tags: ReasoningTags) {
    this.#tags = tags
  }

  after(promptEnd: string): AnswerReasoning | undefined {
    const { open, close } = this.#tags
    const end = promptEnd.trimEnd()
    if (end.endsWith(close)) return undefined
    const begun = end.endsWith(open.join(''))
    const thoughts: PreludePart = { type: 'until', text: close }
    const opened: Prelude = [...open.map((text): PreludePart => ({ type: 'literal', text })), thoughts]
    const preludes = begun ? [[thoughts]] : [[], opened]
    return {
      markers: [...open, close],
      preludes,
      callPreludes: preludes,
      reader: () => new TaggedReader(open.join(''), close, begun)
    }
  }
}

class TaggedReader implements ReasoningReader {
  /** Tags are part of the reasoning. */
  readonly framing = false
  readonly #open: string
  readonly #close: string
  /** `head` and `gap`: white space is passed over; before the reasoning's first word and the answer's. */
  #place: 'before' | 'head' | 'inside' | 'gap' | 'answer'
  /** What has just come, behind the beginning of a tag. */
  #held = ''
  /** White space before that, which is left out if a tag follows. It only grows and is never searched, so holding it costs nothing. */
  #blank = ''

  constructor(open: string, close: string, begun: boolean) {
    this.#open = open
    this.#close = close
    this.#place = begun ? 'head' : 'before'
  }

  get inside(): boolean {
    return this.#place === 'head' || this.#place === 'inside' || this.#place === 'gap'
  }

  push(text: string): ReadText {
    if (this.#place === 'answer') return { reasoning: '', content: text }
    this.#held += text
    let reasoning = ''
    let content = ''
    for (;;) {
      const before: string = this.#place
      const read = this.#step()
      reasoning += read.reasoning
      content += read.content
      if (this.#place === before) return { reasoning, content }
    }
  }

  flush(): ReadText {
    const text = this.#takeBlank() + this.#take(this.#held.length)
    if (this.#place === 'gap') return NOTHING
    return this.inside ? { reasoning: text, content: '' } : { reasoning: '', content: text }
  }

  /** Reads what is held as far as it is certain; the place has changed if more may be. */
  #step(): ReadText {
    switch (this.#place) {
      case 'before':
        return this.#readBefore()
      case 'head':
      case 'gap': {
        this.#held = this.#held.trimStart()
        if (this.#held !== '') this.#place = this.#place === 'head' ? 'inside' : 'answer'
        return NOTHING
      }
      case 'inside':
        return this.#readInside()
      case 'answer':
        return { reasoning: '', content: this.#takeBlank() + this.#take(this.#held.length) }
    }
  }

  #readBefore(): ReadText {
    this.#blank += this.#take(this.#held.length - this.#held.trimStart().length)
    if (this.#held.startsWith(this.#open)) {
      this.#take(this.#open.length)
      this.#takeBlank()
      this.#place = 'head'
    } else if (!this.#open.startsWith(this.#held)) this.#place = 'answer'
    return NOTHING
  }

  #readInside(): ReadText {
    const at = this.#held.indexOf(this.#close)
    const text = this.#take(at < 0 ? this.#held.length - begunLength(this.#held, [this.#close]) : at)
    const said = text.trimEnd()
    const reasoning = said === '' ? '' : this.#takeBlank() + said
    this.#blank += text.slice(said.length)
    if (at < 0) return { reasoning, content: '' }
    this.#take(this.#close.length)
    this.#takeBlank()
    this.#place = 'gap'
    return { reasoning, content: '' }
  }

  #take(length: number): string {
    const text = this.#held.slice(0, length)
    this.#held = this.#held.slice(length)
    return text
  }

  #takeBlank(): string {
    const blank = this.#blank
    this.#blank = ''
    return blank
  }
}
