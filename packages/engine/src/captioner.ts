import {
  allFinite,
  type BlipConfig,
  type Captioner,
  type LookOptions,
  lookedAtSize,
  MeshError,
  type PictureText
} from '@resultity/interface'
import type { BatchGate } from './batch-gate.ts'
import { CallTurns } from './call-turns.ts'
import type { CaptionGraphs, Look } from './caption-graphs.ts'
import type { CaptionerInit } from './port.ts'
import { TextSession } from './text-session.ts'
import type { TextSubject } from './text-state.ts'

/** Pictures that one model may have open; each takes some 50 MB of a large one. */
const PICTURES_MAX = 1024

/** @throws MeshError `invalid_request` for a limit that is none */
export function checkPicturesMax({ picturesMax }: Pick<CaptionerInit, 'picturesMax'>): void {
  if (Number.isInteger(picturesMax) && picturesMax >= 1 && picturesMax <= PICTURES_MAX) return
  throw new MeshError('invalid_request', `picturesMax is ${picturesMax}, it must be from 1 to ${PICTURES_MAX}`)
}

/** A whole model that says what pictures show, over the graphs of some runtime: limits, turns, and what is open. */
export class WholeCaptioner implements Captioner {
  readonly config: BlipConfig
  readonly picturesMax: number
  readonly #graphs: CaptionGraphs
  readonly #turns: CallTurns
  readonly #texts = new Set<PictureText>()
  /** Pictures that are being looked at. */
  #looking = 0

  /** @param init its limit was checked by {@link checkPicturesMax} */
  constructor({ manifest, picturesMax }: CaptionerInit, graphs: CaptionGraphs, gate: BatchGate) {
    this.config = manifest.config
    this.picturesMax = picturesMax
    this.#graphs = graphs
    this.#turns = new CallTurns(gate, 'the model that describes pictures')
  }

  get picturesOpen(): number {
    return this.#texts.size + this.#looking
  }

  async look(pixels: Float32Array, options: LookOptions = {}): Promise<PictureText> {
    options.signal?.throwIfAborted()
    const look = this.#admit(pixels, options.question)
    const signal = this.#turns.signalOf(options)
    signal.throwIfAborted()
    if (this.picturesOpen >= this.picturesMax) {
      throw new MeshError('resource_exhausted', `all ${this.picturesMax} pictures of the model are open`)
    }
    this.#looking++
    try {
      const run = (): Promise<TextSubject> => this.#graphs.look(look, { signal })
      return this.#open(await this.#turns.take(run, signal, options.workClass))
    } finally {
      this.#looking--
    }
  }

  /** Breaks calls off, waits until the runtime has left their memory, and frees it and the weights. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#turns.closed) return
    await this.#turns.close()
    for (const text of [...this.#texts]) text[Symbol.dispose]()
    await this.#graphs[Symbol.asyncDispose]()
  }

  #open(picture: TextSubject): PictureText {
    const text: TextSession = new TextSession({
      config: this.config,
      turns: this.#turns,
      state: picture.begin(),
      release: () => {
        this.#texts.delete(text)
        picture[Symbol.dispose]()
      }
    })
    this.#texts.add(text)
    return text
  }

  #admit(pixels: Float32Array, question: readonly number[] | undefined): Look {
    const { task, textContext, vocabularySize } = this.config
    const size = lookedAtSize(this.config)
    if (pixels.length !== size)
      throw invalid('picture', `a picture of ${pixels.length} numbers came, ${size} are taken`)
    if (!allFinite(pixels)) throw invalid('picture', 'the picture holds what is no number')
    if ((task === 'answer') !== (question !== undefined && question.length > 0)) {
      const what = task === 'answer' ? 'answers questions, and none came' : 'writes captions, and a question came'
      throw invalid('question', `the model ${what}`)
    }
    if (question === undefined) return { pixels, question }
    if (question.length > textContext) {
      const message = `a question of ${question.length} tokens came, ${textContext} are taken`
      throw new MeshError('context_length_exceeded', message, { details: { param: 'question' } })
    }
    const wrong = question.find(token => !Number.isInteger(token) || token < 0 || token >= vocabularySize)
    if (wrong === undefined) return { pixels, question }
    throw invalid('question', `there is no token ${wrong}, the vocabulary has ${vocabularySize}`)
  }
}

function invalid(param: string, message: string): MeshError {
  return new MeshError('invalid_request', message, { details: { param } })
}
