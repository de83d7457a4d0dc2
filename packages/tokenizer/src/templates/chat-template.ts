import { Environment, parse, tokenize } from '@huggingface/jinja'
import { type Clock, MeshError, systemClock } from '@resultity/interface'
import { BoundedInterpreter, type RenderBudget, TemplateTooLong } from './bounded-interpreter.ts'
import type { ChatMessage } from './chat-message.ts'
import { formatTime } from './chat-template-date.ts'
import {
  probeTemplate,
  type TemplateCapabilities,
  type TemplateTrial,
  type TrialOutcome,
  type TurnRole
} from './template-capabilities.ts'

/** What pictures are to the prompt of a conversation. */
export interface PictureTexts {
  /** The special token that a template writes for a picture. */
  readonly token: string
  /** What stands in its place. */
  readonly texts: readonly string[]
}

export interface ChatTemplateOptions {
  /** Functions that the model may call, in OpenAI's form; for templates that {@link ChatTemplate.writesTools}. */
  readonly tools?: readonly unknown[]
  /** Ends the prompt with the head of an assistant turn, so that the model answers. Default true. */
  readonly addGenerationPrompt?: boolean
  /** Ends the prompt within the last message, which the model goes on with. Default false. */
  readonly continueFinalMessage?: boolean
  /** What is written in place of each picture's token, in their order; for models that read pictures. */
  readonly pictures?: PictureTexts
  /** Variables of the template's own, such as `enable_thinking`. Those that every template has cannot be set. */
  readonly variables?: Readonly<Record<string, unknown>>
  /** How much the template may do. Default {@link FULL_RENDERING}. */
  readonly budget?: RenderBudget
}

/** Names of a vocabulary's tokens that templates may write. */
export interface TemplateTokens {
  readonly bos: string
  readonly eos: string
  readonly unk: string
  readonly pad: string
}

/** Used for a model that brings none: every turn on a line of its own, headed by its role. */
export const PLAIN_TEMPLATE = `{{ bos_token }}{% for message in messages %}{{ message['role'] | capitalize }}: {{ message['content'] }}
{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}`

/** The longest published template has some 20,000 characters. */
export const TEMPLATE_CHARS_MAX = 262_144

/** A prompt of this size is over any context. */
export const RENDERED_CHARS_MAX = 8_388_608

/** Some hundred steps a message are usual, and so many take about a second. */
export const FULL_RENDERING: RenderBudget = {
  steps: 2_000_000,
  characters: RENDERED_CHARS_MAX,
  // of a prompt's own characters: a template that splits a conversation does it at its turns
  pieces: 262_144,
  // a conversation of 100,000 turns
  nodes: 1_048_576
}

/** Some ten milliseconds: as much as the event loop may be held. */
export const QUICK_RENDERING: RenderBudget = { steps: 20_000, characters: 65_536, pieces: 4096, nodes: 16_384 }

/** What the library itself declares. */
const NAMESPACE = 'namespace'

/** Longest list that a template's `range()` may make. */
const RANGE_MAX = 100_000

const REASONING_NAMES = ['reasoning', 'thinking'] as const
type ReasoningName = (typeof REASONING_NAMES)[number]

/** The message a template gave to `raise_exception`: it refuses these messages. */
class TemplateRefusal extends Error {}

/** A model's Jinja chat template. */
export class ChatTemplate {
  readonly #source: string
  readonly #program: ReturnType<typeof parse>
  readonly #tokens: TemplateTokens
  readonly #clock: Clock
  /** Names that it asks for what was reasoned by, besides `reasoning_content`. */
  readonly #reasoningNames: ReadonlySet<ReasoningName>
  #capabilities: TemplateCapabilities | undefined

  /** @throws MeshError `model_invalid` when `source` is too long or no valid template */
  constructor(source: string, tokens: TemplateTokens, clock: Clock = systemClock) {
    if (source.length > TEMPLATE_CHARS_MAX) {
      throw templateInvalid(`the chat template has ${source.length} characters, the limit is ${TEMPLATE_CHARS_MAX}`)
    }
    try {
      // white space as transformers sets it
      this.#program = parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }))
    } catch (error) {
      throw templateInvalid(`the chat template cannot be parsed: ${messageOf(error)}`, error)
    }
    this.#source = source
    this.#tokens = tokens
    this.#clock = clock
    this.#reasoningNames = new Set(REASONING_NAMES.filter(name => asksFor(name).test(source)))
  }

  /** Which conversations it can write. It is tried when this is first asked for, which takes some milliseconds. */
  get capabilities(): TemplateCapabilities {
    const mentions = (word: string): boolean => this.#source.includes(word)
    this.#capabilities ??= probeTemplate(trial => this.#try(trial), mentions)
    return this.#capabilities
  }

  /** Writes `tools`, calls of them, and what they answered. */
  get writesTools(): boolean {
    return this.capabilities.tools
  }

  /**
   * Writes `messages` as the model was trained to read them: as they are, but that contents come as lists of parts where
   * the template wants those.
   *
   * @throws MeshError `invalid_request` when the template refuses the messages, fails over them, or takes too many steps,
   * and when the prompt gets too long
   */
  render(messages: readonly ChatMessage[], options: ChatTemplateOptions = {}): string {
    let rendered: unknown
    try {
      rendered = this.#run(messages, options, this.capabilities.parts)
    } catch (error) {
      throw renderError(error)
    }
    if (typeof rendered !== 'string') throw renderError(new Error('it made no text'))
    if (rendered.length > RENDERED_CHARS_MAX) throw tooLong(rendered.length)
    const shown = options.pictures === undefined ? rendered : withPictures(rendered, options.pictures)
    return options.continueFinalMessage === true ? endedWithin(shown, messages) : shown
  }

  #run(messages: readonly ChatMessage[], options: ChatTemplateOptions, parts: ReadonlySet<TurnRole>): unknown {
    const environment = this.#environment(messages, options, parts)
    return new BoundedInterpreter(environment, options.budget ?? FULL_RENDERING).run(this.#program).value
  }

  #try({ messages, parts, ...options }: TemplateTrial): TrialOutcome {
    try {
      const text = this.#run(messages, { budget: QUICK_RENDERING, ...options }, parts)
      return typeof text === 'string' ? { type: 'text', text } : { type: 'refused' }
    } catch (error) {
      return { type: error instanceof TemplateTooLong ? 'unknown' : 'refused' }
    }
  }

  // in place of the library's own set-up, whose `range` has no bound and whose refusals look like failures
  #environment(
    messages: readonly ChatMessage[],
    {
      continueFinalMessage = false,
      addGenerationPrompt = !continueFinalMessage,
      tools,
      variables: own = {}
    }: ChatTemplateOptions,
    parts: ReadonlySet<TurnRole>
  ): Environment {
    const variables = {
      false: false,
      true: true,
      none: null,
      False: false,
      True: true,
      None: null,
      range: boundedRange,
      strftime_now: (format: string) => formatTime(format, this.#clock.now()),
      raise_exception: (message: unknown) => {
        throw new TemplateRefusal(String(message))
      },
      messages: messages.map(message => ({
        ...templateMessage(message, parts),
        ...templateReasoning(message, this.#reasoningNames)
      })),
      add_generation_prompt: addGenerationPrompt,
      tools: tools === undefined || tools.length === 0 ? null : tools,
      documents: null,
      bos_token: this.#tokens.bos,
      eos_token: this.#tokens.eos,
      unk_token: this.#tokens.unk,
      pad_token: this.#tokens.pad
    }
    const environment = new Environment()
    for (const [name, value] of Object.entries(own)) {
      if (Object.hasOwn(variables, name) || name === NAMESPACE) throw reserved(name)
      environment.set(name, value)
    }
    for (const [name, value] of Object.entries(variables)) environment.set(name, value)
    return environment
  }
}

/** Names of tokens in messages were guarded before: each that is found is one that the template wrote. */
function withPictures(rendered: string, { token, texts }: PictureTexts): string {
  const [first = '', ...others] = rendered.split(token)
  if (others.length === texts.length) return first + others.map((rest, at) => `${texts[at]}${rest}`).join('')
  const message = `the model's chat template writes ${others.length} pictures of ${texts.length}`
  throw new MeshError('invalid_request', message, {
    hint: 'Send pictures in the turns of the user only.',
    details: { param: 'messages' }
  })
}

/** A message as templates know it: fields that it has not are not defined. */
function templateMessage(
  { role: said, content, parts: own, toolCalls, toolCallId, name }: ChatMessage,
  parts: ReadonlySet<TurnRole>
): Record<string, unknown> {
  const role = said === 'developer' ? 'system' : said
  return {
    role,
    content: own ?? (parts.has(role) ? [{ type: 'text', text: content }] : content),
    ...(toolCalls === undefined || toolCalls.length === 0
      ? {}
      : {
          tool_calls: toolCalls.map(call => ({
            id: call.id,
            type: 'function',
            function: { name: call.name, arguments: call.arguments }
          }))
        }),
    ...(toolCallId === undefined ? {} : { tool_call_id: toolCallId }),
    ...(name === undefined ? {} : { name })
  }
}

function asksFor(name: ReasoningName): RegExp {
  return new RegExp(`\\.${name}\\b|['"]${name}['"]`)
}

/** What was reasoned, by the names that a template asks for. */
function templateReasoning(
  { reasoning, content, toolCalls = [] }: ChatMessage,
  names: ReadonlySet<ReasoningName>
): Readonly<Record<string, string>> {
  if (reasoning === undefined) return {}
  return {
    reasoning_content: reasoning,
    ...(names.has('reasoning') ? { reasoning } : {}),
    // that of gpt-oss refuses it between a text and calls
    ...(names.has('thinking') && (content === '' || toolCalls.length === 0) ? { thinking: reasoning } : {})
  }
}

/**
 * The prompt up to the end of its last message's text: what a template writes behind that closes the turn. Templates cut white
 * space off a text, so that is looked for without it.
 */
function endedWithin(rendered: string, messages: readonly ChatMessage[]): string {
  const said = messages.at(-1)?.content.trim() ?? ''
  const at = said === '' ? -1 : rendered.lastIndexOf(said)
  if (at < 0) {
    throw new MeshError('invalid_request', "the model's chat template does not write the last message as it is", {
      hint: 'Use /v1/completions with a prompt of your own, or leave continue_final_message out.',
      details: { param: 'continue_final_message' }
    })
  }
  return rendered.slice(0, at + said.length)
}

function reserved(name: string): MeshError {
  return new MeshError('invalid_request', `"${name}" is set by the server, and no variable of the request`, {
    hint: 'Leave it out.',
    details: { param: 'chat_template_kwargs' }
  })
}

function boundedRange(...bounds: readonly number[]): number[] {
  const [first = 0, second, step = 1] = bounds
  const [start, end] = second === undefined ? [0, first] : [first, second]
  const length = Math.max(0, Math.ceil((end - start) / step))
  if (!(length <= RANGE_MAX)) throw new RangeError(`range() of ${length} numbers, the limit is ${RANGE_MAX}`)
  return Array.from({ length }, (_, index) => start + index * step)
}

function renderError(error: unknown): MeshError {
  if (error instanceof MeshError) return error
  if (error instanceof TemplateRefusal) {
    return new MeshError('invalid_request', `the model's chat template refuses these messages: ${error.message}`, {
      hint: 'Change the roles or the order of the messages to what this model takes.',
      details: { param: 'messages' },
      cause: error
    })
  }
  const what = error instanceof TemplateTooLong ? '' : 'failed over these messages: '
  return new MeshError('invalid_request', `the model's chat template ${what}${messageOf(error)}`, {
    hint: 'Send fewer or plainer messages and tools; if short ones fail too, the model has a bad template.',
    details: { param: 'messages' },
    cause: error
  })
}

function tooLong(chars: number): MeshError {
  return new MeshError('invalid_request', `the prompt has ${chars} characters, the limit is ${RENDERED_CHARS_MAX}`, {
    hint: 'Send fewer or shorter messages.',
    details: { param: 'messages' }
  })
}

function templateInvalid(message: string, cause?: unknown): MeshError {
  return new MeshError('model_invalid', message, {
    hint: 'Use a model whose chat template keeps to plain Jinja, or ask the publisher for a fix.',
    ...(cause === undefined ? {} : { cause })
  })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
