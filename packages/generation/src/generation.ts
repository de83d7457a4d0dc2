import type { AnswerReasoning } from '@resultity/dialects'
import {
  type AbortOptions,
  type AnswerConstraint,
  type FinishReason,
  MeshError,
  type Route,
  requireDecoder,
  type Sampling,
  systemScheduler,
  type WorkClass,
  type WorkOptions
} from '@resultity/interface'
import type { NodeLosses, PlaceableModel, Placement, RouteConstraints } from '@resultity/placement'
import type { ModelTokenizer } from '@resultity/tokenizer'
import type { SessionFence, TokenLogprob, TokenScore } from '@resultity/wire'
import { AnswerText, type AnswerTextPiece } from './answer-text.ts'
import { patientLimits } from './batch-patience.ts'
import { heldConstraint } from './held-constraint.ts'
import { LastingSession, type LastingSessionComponents, type LastingSessionInit } from './lasting-session.ts'
import { type AnswerProgress, answerDigest } from './progress/answer-progress.ts'
import type { EarlierAnswer, ToldToken } from './progress/earlier-answer.ts'
import { KeptSession, resumedInit } from './progress/kept-session.ts'
import { PromptNames } from './prompt-names.ts'
import type { Reroutes } from './recovery-state.ts'
import type { LeaseOptions, RouteLease, RouteLeases } from './route-leases.ts'
import type { PromptPiece, RouteSessionComponents, RouteSessionLimits } from './route-session-init.ts'
import { type Usage, usageOf } from './usage.ts'

/** A generation that a caller asks for. */
export interface GenerationRequest {
  readonly model: PlaceableModel
  readonly tokenizer: ModelTokenizer
  /** Token ids; with `tokensMax` at most the model's context length. */
  readonly prompt: readonly number[]
  /** Pieces of pictures that the prompt shows, in the order of their positions. Default: none. */
  readonly pieces?: readonly PromptPiece[]
  /** Most tokens of the answer; at least 1. */
  readonly tokensMax: number
  readonly sampling: Sampling
  /** Texts that end the answer. */
  readonly stop: readonly string[]
  /** Tokens that end the answer, beside the model's own. Default: none. */
  readonly stopTokenIds?: readonly number[]
  /** The text of `stop`, or the token of `stopTokenIds`, that ended the answer is part of it. Default: it is not. */
  readonly includeStop?: boolean
  /** So many tokens come before an end token or one of the stops counts; at most `tokensMax`. Default 0. */
  readonly tokensMin?: number
  /** Continue to `tokensMax`, whichever tokens are sampled. */
  readonly ignoreEndTokens: boolean
  /** How many alternatives to report with each token; undefined: not even its own probability. */
  readonly topLogprobs?: number
  /** Report how likely the model found the prompt, with `topLogprobs` alternatives a token, before the answer. */
  readonly promptLogprobs?: boolean
  /**
   * The constraint on the answer, without the reasoning before it. `ignoreEndTokens` must be unset with it, or the answer could
   * not end.
   */
  readonly constraint?: AnswerConstraint
  /** How the model reasons before its answer. Default: all that it writes is answer. */
  readonly reasoning?: AnswerReasoning
  /** Names of special tokens that are part of the answer's text, beside those of the reasoning. Default: none. */
  readonly markers?: readonly string[]
  /** Where to run it. Default: anywhere in the general pool. */
  readonly routing?: RouteConstraints
}

export type GenerationEvent =
  | {
      /** Only on request: scores of consecutive prompt tokens. All come, in order, before the first token. */
      readonly type: 'prompt'
      /** Always empty. */
      readonly text: ''
      /** Position in the prompt of the first token scored here. At least 1, because no token comes before the first. */
      readonly position: number
      readonly scores: readonly TokenScore[]
    }
  | {
      readonly type: 'token'
      /** Empty while characters or a possible stop string are incomplete. */
      readonly text: string
      /** Set, if to an empty text, where the token belongs to the reasoning, or to what is written around it and the answer. */
      readonly reasoning?: string
      /** What the token adds to all that the model writes. Absent: `text`. */
      readonly written?: string
      readonly tokenId: number
      /** Set when asked for. */
      readonly logprob?: number
      readonly top?: readonly TokenLogprob[]
    }
  | {
      readonly type: 'end'
      /** Text that was held back until now. */
      readonly text: string
      /** Of the reasoning, which was held back until now. */
      readonly reasoning?: string
      /** The last of all that the model writes. Absent: `text`. */
      readonly written?: string
      readonly finishReason: FinishReason
      /** The model ended it; else it was cut off, by a stop string or at its limit. */
      readonly complete: boolean
      /** The stop string that cut it off, where one did. */
      readonly stop?: string
      readonly usage: Usage
    }

export interface GenerationOptions extends WorkOptions {
  /**
   * Every token is reported as soon as it exists. Default true; where nobody waits for tokens, reporting them costs
   * less.
   */
  readonly watched?: boolean
  /** Counts nodes that are lost on the way. */
  readonly losses?: NodeLosses
  /** Which attempt at which request it is: nodes end earlier ones. Default: it is not fenced. */
  readonly fence?: SessionFence
  /** Keeps the answer for further attempts, and has what earlier ones kept. Default: it is not kept. */
  readonly progress?: AnswerProgress | undefined
  /** Whose prompt it is: stages keep it for prompts of the same namespace that begin alike. Default: they do not. */
  readonly namespace?: string
}

/** An answer in the making. Leaving `events` early, or disposing, cancels it and frees every slot. */
export interface Generation extends AsyncDisposable {
  /** That makes it now, or made its end. */
  readonly route: Route
  /** How often it went on on another route, if its maker knows of such. */
  readonly reroutes?: Reroutes
  /** Its first tokens, so many, are of earlier attempts. Default 0. */
  readonly resumed?: number
  /** What it took so far. */
  readonly usage: Usage
  /** Iterate once. Ends with exactly one `end` event, or throws MeshError (`node_lost`, …). */
  readonly events: AsyncGenerator<GenerationEvent, void>
}

/** Makes answers, on the routes of a mesh. A benchmark of the parts before it puts another one in its place. */
export interface Generator {
  /** Answers it makes at once, where that is not a matter of slots on nodes. */
  readonly placesMax?: number
  /**
   * Whether answers of one namespace that begin while another with the same prompt has its first token already need not compute all of
   * the prompt again. Default: they have to.
   */
  keepsPrompt?(request: GenerationRequest, workClass: WorkClass): boolean
  /**
   * Resolves once the answer is certain to begin.
   *
   * @param options the signal also cancels the generation later
   * @throws MeshError as {@link GenerationDriver.start} does
   */
  start(request: GenerationRequest, options?: GenerationOptions): Promise<Generation>
}

export interface GenerationDriverComponents extends RouteSessionComponents {
  readonly leases: RouteLeases
}

export interface GenerationDriverInit extends RouteSessionLimits {
  readonly prefillChunk: number
  /** Prefill chunk of batch work: interactive work that arrives waits for at most one of them. */
  readonly batchPrefillChunk: number
  /** Stages keep the beginnings of prompts for later ones. */
  readonly keepsPrompts: boolean
  readonly lossNoticeMs: number
  readonly routeAttemptsMax: number
  readonly slotWaitMs: number
}

/** Turns token ids into answers: leases a route, opens the session on it, reads and decodes the sampled tokens. */
export class GenerationDriver implements Generator {
  readonly #components: GenerationDriverComponents
  readonly #init: GenerationDriverInit
  readonly #names: PromptNames
  #active = 0

  constructor(components: GenerationDriverComponents, init: GenerationDriverInit) {
    this.#components = components
    this.#init = init
    this.#names = new PromptNames((components.scheduler ?? systemScheduler).randomBytes(32))
  }

  /** Generations that hold a slot. */
  get active(): number {
    return this.#active
  }

  keepsPrompt({ prompt, promptLogprobs = false }: GenerationRequest, workClass: WorkClass): boolean {
    // a prompt that is scored runs as a whole, position by position
    return (
      this.#init.keepsPrompts && !promptLogprobs && this.#names.areFor(prompt.length, this.#prefillChunk(workClass))
    )
  }

  /**
   * Resolves once every stage of a route has taken a slot and the prompt is on its way. A node that is lost, before that
   * or later, costs the client a pause: another route goes on as soon as there is one.
   *
   * @param options the signal also cancels the generation later
   * @throws MeshError as {@link LastingSession.open} does
   */
  async start(request: GenerationRequest, options: GenerationOptions = {}): Promise<Generation> {
    const { leases } = this.#components
    const { lossNoticeMs } = this.#init
    const components = {
      ...this.#components,
      lease: (how: LeaseOptions) => this.#lease(request, { ...options, ...how }),
      hasRoute: (left: Placement) => leases.hasRoute(left, request.model, request.routing),
      onHandover: leases.onHandover.bind(leases),
      untilBroken: (placement: Placement, how: AbortOptions) => leases.untilBroken(placement, lossNoticeMs, how)
    }
    const session = this.#session(components, request, options)
    const { signal } = options
    const onAbort = (): void => session.fail(MeshError.from(signal?.reason, 'canceled'))
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted === true) onAbort()
    const end = (): Promise<void> => {
      signal?.removeEventListener('abort', onAbort)
      return session.close('the answer ended')
    }
    try {
      await session.open()
    } catch (error) {
      await end()
      throw error
    }
    const text = answerText(request)
    return {
      get route() {
        return session.route
      },
      get usage() {
        return usageOf(request.prompt.length, text, session.kept)
      },
      get reroutes() {
        return session.reroutes
      },
      resumed: session instanceof KeptSession ? session.resumed : 0,
      events: answer(request, session, text, end),
      [Symbol.asyncDispose]: end
    }
  }

  #session(
    components: LastingSessionComponents,
    request: GenerationRequest,
    options: GenerationOptions
  ): LastingSession | KeptSession {
    const { progress } = options
    if (progress === undefined) return new LastingSession(components, this.#sessionInit(request, options))
    const earlier = progress.start(answerDigest(request.model.manifestSha256, request.prompt))
    const init = this.#sessionInit(request, options, earlier)
    const { scheduler } = this.#components
    const { prefillChunk } = init.answer
    return new KeptSession(new LastingSession(components, init), { progress, earlier, prefillChunk, scheduler })
  }

  async #lease({ model, routing }: GenerationRequest, options: LeaseOptions): Promise<RouteLease> {
    const lease = await this.#components.leases.lease(model, routing, options)
    this.#active++
    let held = true
    return {
      ...lease,
      [Symbol.dispose]: () => {
        if (held) this.#active--
        held = false
        lease[Symbol.dispose]()
      }
    }
  }

  #sessionInit(request: GenerationRequest, options: GenerationOptions, earlier?: EarlierAnswer): LastingSessionInit {
    const { workClass = 'interactive' } = options
    const answer = this.#answerInit(request, options)
    return {
      ...(earlier === undefined ? { answer, ...this.#prefixNames(request, options) } : resumedInit(answer, earlier)),
      limits: patientLimits(this.#init, workClass),
      attemptsMax: this.#init.routeAttemptsMax,
      slotWaitMs: this.#init.slotWaitMs,
      losses: options.losses
    }
  }

  #prefixNames(
    request: GenerationRequest,
    { namespace, workClass = 'interactive' }: GenerationOptions
  ): Pick<LastingSessionInit, 'prefixNames'> {
    if (namespace === undefined || !this.keepsPrompt(request, workClass)) return {}
    const { prompt, model, pieces: shown } = request
    const named = { namespace, prompt, shown, prefillChunk: this.#prefillChunk(workClass) }
    const { manifestSha256 } = model
    return { prefixNames: ({ placementId }) => this.#names.of({ ...named, placementId, manifestSha256 }) }
  }

  #prefillChunk(workClass: WorkClass): number {
    const { prefillChunk, batchPrefillChunk } = this.#init
    return workClass === 'batch' ? batchPrefillChunk : prefillChunk
  }

  #answerInit(
    request: GenerationRequest,
    { workClass = 'interactive', watched = true, fence }: GenerationOptions
  ): LastingSessionInit['answer'] {
    const constraint = heldConstraint(request)
    return {
      prompt: request.prompt,
      ...(request.pieces && { pieces: request.pieces }),
      tokensMax: request.tokensMax,
      prefillChunk: this.#prefillChunk(workClass),
      workClass,
      // a stop text is noticed here, and tokens computed after it are wasted
      watched: watched || request.stop.length > 0,
      endTokens: endTokensOf(request),
      tokensMin: request.tokensMin ?? 0,
      sampling: request.sampling,
      logprobs: request.topLogprobs !== undefined,
      topLogprobs: request.topLogprobs ?? 0,
      vocabularySize: requireDecoder(request.model.manifest).config.vocabularySize,
      promptLogprobs: request.promptLogprobs === true,
      ...(fence === undefined ? {} : { fence }),
      ...(constraint === undefined ? {} : { constraint })
    }
  }
}

function endTokensOf({ ignoreEndTokens, tokenizer, stopTokenIds = [] }: GenerationRequest): ReadonlySet<number> {
  return new Set([...(ignoreEndTokens ? [] : tokenizer.endTokenIds), ...stopTokenIds])
}

function answerText(request: GenerationRequest): AnswerText {
  const { tokenizer, reasoning, markers = [], stop, stopTokenIds = [], includeStop = false, tokensMin = 0 } = request
  return new AnswerText({ tokenizer, reasoning, markers, stop, stopTokenIds, includeStop, tokensMin })
}

async function* answer(
  request: GenerationRequest,
  session: LastingSession | KeptSession,
  text: AnswerText,
  end: () => Promise<void>
): AsyncGenerator<GenerationEvent, void> {
  const usage = (): Usage => usageOf(request.prompt.length, text, session.kept)
  try {
    for (;;) {
      const sampled = await session.next()
      if (sampled === undefined) throw new MeshError('internal', 'the answer ended without a last token')
      if (sampled.type === 'scores') {
        yield { type: 'prompt', text: '', position: sampled.position, scores: sampled.scores }
        continue
      }
      const endToken = sampled.finish === 'end_token'
      const piece = text.push(sampled.token, endToken)
      const { stop: stopped } = piece
      if (stopped !== undefined) {
        yield tokenEvent(request, sampled, piece)
        yield { type: 'end', text: '', finishReason: 'stop', complete: false, stop: stopped, usage: usage() }
        return
      }
      if (!endToken) yield tokenEvent(request, sampled, piece)
      if (sampled.finish === 'continues') continue
      const held = text.flush()
      const reasoned = (endToken ? (piece.reasoning ?? '') : '') + (held.reasoning ?? '')
      yield {
        type: 'end',
        text: (endToken ? piece.text : '') + held.text,
        ...(reasoned === '' ? {} : { reasoning: reasoned }),
        ...(piece.written === undefined ? {} : { written: endToken ? piece.written : '' }),
        finishReason: endToken || held.stop !== undefined ? 'stop' : 'length',
        complete: endToken && held.stop === undefined,
        ...(held.stop === undefined ? {} : { stop: held.stop }),
        usage: usage()
      }
      return
    }
  } finally {
    // not awaited: the client need not wait until the stages have confirmed
    void end()
  }
}

function tokenEvent(
  request: GenerationRequest,
  sampled: ToldToken,
  { text, reasoning, written }: AnswerTextPiece
): GenerationEvent {
  const event = {
    type: 'token' as const,
    text,
    ...(reasoning === undefined ? {} : { reasoning }),
    ...(written === undefined ? {} : { written }),
    tokenId: sampled.token
  }
  if (request.topLogprobs === undefined) return event
  // a token that the constraint rules out is not an alternative
  const top = sampled.top.filter(({ logprob }) => logprob > Number.NEGATIVE_INFINITY)
  return { ...event, logprob: sampled.logprob, top }
}
