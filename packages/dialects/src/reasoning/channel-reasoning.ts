import type { Prelude, PreludePart } from '@resultity/interface'
import { begunLength, firstMark } from '../text/marks.ts'
import {
  type AnswerReasoning,
  NOTHING,
  type ReadText,
  type ReasoningFormat,
  type ReasoningReader
} from './reasoning-format.ts'

const CHANNEL = '<|channel|>'
const MESSAGE = '<|message|>'
const START = '<|start|>'
const END = '<|end|>'
const CALL = '<|call|>'
const RETURN = '<|return|>'
const CONSTRAIN = '<|constrain|>'

/** What may end a message. */
const ENDS = [END, START, CALL, RETURN] as const
/** A longer text is not a head. */
const HEAD_CHARACTERS_MAX = 512

const literals = (...texts: readonly string[]): PreludePart[] => texts.map(text => ({ type: 'literal', text }))
const FINAL: Prelude = literals(CHANNEL, 'final', MESSAGE)
const ANALYSIS: Prelude = [
  ...literals(CHANNEL, 'analysis', MESSAGE),
  { type: 'until', text: END },
  ...literals(START, 'assistant')
]

/**
 * Answers of gpt-oss are messages on channels: `analysis` is reasoning, `final` and `commentary` are for the user. A message to a
 * function stays as it is written, with its head.
 */
export class ChannelReasoning implements ReasoningFormat {
  after(): AnswerReasoning {
    return {
      markers: [CHANNEL, MESSAGE, START, END, CALL, CONSTRAIN],
      preludes: [FINAL, [...ANALYSIS, ...FINAL]],
      callPreludes: [[], ANALYSIS],
      reader: () => new ChannelReader()
    }
  }
}

type Place = 'head' | 'reasoning' | 'content' | 'call'

class ChannelReader implements ReasoningReader {
  #place: Place = 'head'
  #held = ''
  #messages = 0
  /** Whether a message of the same kind came before: the next one begins on a new line. */
  readonly #spoken = { reasoning: false, content: false }

  get inside(): boolean {
    return this.#place === 'reasoning'
  }

  /** What an answer begins with may be a word of a model that does not keep to the form. */
  get framing(): boolean {
    return this.#place === 'head' && (this.#messages > 0 || this.#held.trimStart().startsWith('<|'))
  }

  push(text: string): ReadText {
    this.#held += text
    return this.#read(false)
  }

  flush(): ReadText {
    return this.#read(true)
  }

  #read(over: boolean): ReadText {
    let reasoning = ''
    let content = ''
    for (;;) {
      const step = this.#place === 'head' ? this.#readHead(over) : this.#readBody(over)
      if (step === undefined) return { reasoning, content }
      reasoning += step.reasoning
      content += step.content
    }
  }

  /** Undefined when more must come to tell. */
  #readHead(over: boolean): ReadText | undefined {
    if (this.#held === '') return undefined
    const at = this.#held.indexOf(MESSAGE)
    if (at < 0) {
      const isHead = /^\s*(?:<|assistant|$)/.test(this.#held) || 'assistant'.startsWith(this.#held.trim())
      if (!over && isHead && this.#held.length <= HEAD_CHARACTERS_MAX) return undefined
      // no message: the model does not keep to the form, and has answered all the same
      if (over && /^\s*(?:<\|start\|>)?(?:assistant)?\s*$/.test(this.#held)) {
        this.#held = ''
        return NOTHING
      }
      this.#place = 'content'
      return NOTHING
    }
    const head = this.#held.slice(0, at + MESSAGE.length)
    this.#held = this.#held.slice(head.length)
    this.#place = placeOf(head)
    this.#messages++
    if (this.#place === 'call')
      return { reasoning: '', content: head.replace(/^\s*(?:<\|start\|>)?(?:assistant)?/, '') }
    return this.#parted(this.#place)
  }

  #readBody(over: boolean): ReadText | undefined {
    const first = firstMark(this.#held, ENDS)
    if (first !== undefined) {
      const body = this.#said(this.#held.slice(0, first.at), first.mark)
      this.#held = this.#held.slice(first.at + (first.mark === START ? 0 : first.mark.length))
      this.#place = 'head'
      return body
    }
    const certain = over ? this.#held.length : this.#held.length - begunLength(this.#held, ENDS)
    if (certain === 0) return undefined
    const body = this.#said(this.#held.slice(0, certain), '')
    this.#held = this.#held.slice(certain)
    return body
  }

  #said(text: string, end: string): ReadText {
    if (this.#place === 'reasoning') return { reasoning: text, content: '' }
    return { reasoning: '', content: this.#place === 'call' && end !== '' ? text + CALL : text }
  }

  #parted(place: 'reasoning' | 'content'): ReadText {
    const again = this.#spoken[place]
    this.#spoken[place] = true
    if (!again) return NOTHING
    return place === 'reasoning' ? { reasoning: '\n', content: '' } : { reasoning: '', content: '\n' }
  }
}

function placeOf(head: string): Exclude<Place, 'head'> {
  if (/\bto=/.test(head)) return 'call'
  return /<\|channel\|>analysis\b/.test(head) ? 'reasoning' : 'content'
}
