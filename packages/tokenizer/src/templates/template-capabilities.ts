import { REASONING_EFFORTS } from '@resultity/interface'
import type { ChatMessage } from './chat-message.ts'

/** Whose turn it is, in the words of templates. */
export type TurnRole = 'system' | 'user' | 'assistant' | 'tool'

/** Which conversations a chat template can write, as trying it showed. */
export interface TemplateCapabilities {
  /** A turn of the user is written. Where it is not, no conversation can be. */
  readonly conversations: boolean
  /** Where a system turn may stand: anywhere, before all others, or nowhere. */
  readonly system: 'anywhere' | 'first' | 'none'
  /** A conversation may be a system turn and nothing else. */
  readonly systemAlone: boolean
  /** Turns of user and assistant have to take turns; two of one side are refused, or one of them is lost. */
  readonly alternates: boolean
  /** The assistant may speak first. */
  readonly assistantFirst: boolean
  /** The assistant may have spoken last, and answers once more. */
  readonly assistantLast: boolean
  /** Functions, calls and what tools answered are written. */
  readonly tools: boolean
  /** What it wrote of a call of {@link PROBE_CALL}, where it writes tools. */
  readonly writtenCall: string | undefined
  /** A variable that turns reasoning on and off. */
  readonly thinkingSwitch: string | undefined
  /** Values of the variable `reasoning_effort` that are known; none where it is not read. */
  readonly efforts: ReadonlySet<string>
  /** Roles whose content has to come as a list of parts; that of others comes as a text. */
  readonly parts: ReadonlySet<TurnRole>
}

/** What a template is tried with. */
export interface TemplateTrial {
  readonly messages: readonly ChatMessage[]
  readonly parts: ReadonlySet<TurnRole>
  readonly tools?: readonly unknown[]
  readonly variables?: Readonly<Record<string, unknown>>
}

/** What a trial came to: its text, that the template refuses or fails, or that it cannot be told. */
export type TrialOutcome =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'refused' }
  | { readonly type: 'unknown' }

/** Words that no template writes by itself and none takes apart. */
const FIRST = 'probeone'
const SECOND = 'probetwo'
const THIRD = 'probethree'

const user: ChatMessage = { role: 'user', content: FIRST }
const assistant: ChatMessage = { role: 'assistant', content: SECOND }
const system: ChatMessage = { role: 'system', content: THIRD }

/** Variables that turn reasoning on and off, as publishers call it. */
const SWITCHES = ['enable_thinking', 'thinking']

/** Those that models learned whose templates write whatever the effort is called. */
const WRITTEN_EFFORTS = ['low', 'medium', 'high']
/** No effort. */
const NO_EFFORT = 'probeeffort'

const TOOL = {
  type: 'function',
  function: {
    name: 'probetool',
    description: 'probe',
    parameters: { type: 'object', properties: { probekey: { type: 'string' } } }
  }
}

/** The function of the call that templates are tried with. */
export const PROBE_CALL = 'probecall'

const called: ChatMessage = {
  role: 'assistant',
  content: '',
  toolCalls: [{ id: 'probe0001', name: PROBE_CALL, arguments: { probekey: SECOND } }]
}
const answered: ChatMessage = { role: 'tool', content: THIRD, toolCallId: 'probe0001', name: PROBE_CALL }

/**
 * Tries a template with small conversations. What it refuses it cannot write, and nor can it what it loses: each trial looks
 * for the contents of its turns in the text. What cannot be told, as of a template that takes long, counts as written.
 *
 * @param mentions whether its source has a word
 */
export function probeTemplate(
  trial: (trial: TemplateTrial) => TrialOutcome,
  mentions: (word: string) => boolean
): TemplateCapabilities {
  const parts = new Set<TurnRole>()
  const writes = (messages: readonly ChatMessage[], tools?: readonly unknown[], more: string[] = []): boolean => {
    const outcome = trial({ messages, parts, ...(tools === undefined ? {} : { tools }) })
    if (outcome.type !== 'text') return outcome.type === 'unknown'
    const contents = messages.map(({ content }) => content)
    return [...contents, ...more].every(content => outcome.text.includes(content))
  }
  /** Whether the last of `messages` is written, as parts where a text is not. */
  const writesAs = (role: TurnRole, messages: readonly ChatMessage[], tools?: readonly unknown[]): boolean => {
    if (writes(messages, tools)) return true
    parts.add(role)
    if (writes(messages, tools)) return true
    parts.delete(role)
    return false
  }
  const conversations = writesAs('user', [user])
  const answers = conversations && writesAs('assistant', [user, assistant, user])
  const systemFirst = writesAs('system', [system, user])
  const systemLater = systemFirst && writes([user, assistant, system, user]) && writes([system, system, user])
  const tools =
    mentions('tools') &&
    writes([user], [TOOL], [TOOL.function.name]) &&
    writes([user, called], [TOOL], [PROBE_CALL, SECOND]) &&
    writesAs('tool', [user, called, answered], [TOOL])
  const call = tools ? trial({ messages: [user, called], parts, tools: [TOOL] }) : undefined
  const usersMeet = writes([user, { ...user, content: SECOND }])
  const assistantsMeet = writes([user, assistant, { ...assistant, content: THIRD }, user])
  return {
    conversations,
    system: systemLater ? 'anywhere' : systemFirst ? 'first' : 'none',
    systemAlone: systemFirst && writes([system]),
    alternates: conversations && !(usersMeet && assistantsMeet),
    assistantFirst: !answers || writes([assistant, user]),
    assistantLast: !answers || writes([user, assistant]),
    tools,
    // behind the user's words: what a template says of tools before them may show a call of its own
    writtenCall: call?.type === 'text' ? call.text.slice(call.text.lastIndexOf(FIRST) + FIRST.length) : undefined,
    ...probeReasoning(variables => trial({ messages: [user], parts, variables }), mentions),
    parts
  }
}

/** What it does with the variables that say whether to reason, and how much: those count that change its text. */
function probeReasoning(
  trial: (variables: Readonly<Record<string, unknown>>) => TrialOutcome,
  mentions: (word: string) => boolean
): Pick<TemplateCapabilities, 'thinkingSwitch' | 'efforts'> {
  const textWith = (variables: Readonly<Record<string, unknown>>): string | undefined => {
    const outcome = trial(variables)
    return outcome.type === 'text' ? outcome.text : undefined
  }
  const thinkingSwitch = SWITCHES.find(
    name => mentions(name) && textWith({ [name]: true }) !== textWith({ [name]: false })
  )
  if (!mentions('reasoning_effort')) return { thinkingSwitch, efforts: new Set() }
  const other = textWith({ reasoning_effort: NO_EFFORT })
  const texts = REASONING_EFFORTS.map(effort => ({ effort, text: textWith({ reasoning_effort: effort }) }))
  if (new Set([...texts.map(({ text }) => text), other]).size === 1) return { thinkingSwitch, efforts: new Set() }
  if (other?.includes(NO_EFFORT) === true) return { thinkingSwitch, efforts: new Set(WRITTEN_EFFORTS) }
  // one that it has no words for is as good as none
  const known = texts.filter(({ text, effort }) => text !== undefined && (text !== other || effort === 'medium'))
  return { thinkingSwitch, efforts: new Set(known.map(({ effort }) => effort)) }
}

/** What of a conversation a model's template cannot be given in any form, a sentence each; most have none. */
export function templateShortcomings({ conversations, assistantLast }: TemplateCapabilities): string[] {
  if (!conversations) return ['its chat template writes no turn of a user: chats and responses are refused']
  return assistantLast ? [] : ['its chat template refuses conversations that end with a turn of the assistant']
}
