import type { ChatMessage, ChatPart } from './chat-message.ts'
import type { TemplateCapabilities } from './template-capabilities.ts'

/** Between the texts of turns that become one. */
const SEPARATOR = '\n\n'

/**
 * The same conversation in turns that a template with these capabilities can write. Nothing that was said is left out, and its
 * order stays: a system turn that cannot stand where it does becomes words of the user, and turns of one side that may not
 * follow each other become one.
 */
export function normaliseTurns(turns: readonly ChatMessage[], capabilities: TemplateCapabilities): ChatMessage[] {
  const placed = placeSystemTurns(turns, capabilities)
  const merged = capabilities.alternates ? mergeSides(placed) : placed
  return capabilities.assistantFirst ? merged : afterUser(merged)
}

/** Turns whose system texts stand where they may. Some templates want somebody to ask: then the system does. */
function placeSystemTurns(turns: readonly ChatMessage[], { system, systemAlone }: TemplateCapabilities): ChatMessage[] {
  const nobodyAsks = !systemAlone && !turns.some(({ role }) => role === 'user' || role === 'tool')
  if (system === 'anywhere' && !nobodyAsks) return [...turns]
  const others = turns.findIndex(turn => !isSystem(turn))
  const leading = others < 0 ? turns.length : others
  const kept = system === 'none' || nobodyAsks ? 0 : leading
  const head = kept === 0 ? [] : [joined(turns.slice(0, kept))]
  return [...head, ...folded(turns.slice(kept))]
}

/** System turns as words of the user: the beginning of the turn that follows, where that is the user's. */
function folded(turns: readonly ChatMessage[]): ChatMessage[] {
  const result: ChatMessage[] = []
  let pending: ChatMessage[] = []
  for (const turn of turns) {
    if (isSystem(turn)) {
      pending.push({ role: 'user', content: turn.content, ...(turn.parts && { parts: turn.parts }) })
      continue
    }
    if (turn.role === 'user') result.push(joined([...pending, turn]))
    else result.push(...(pending.length === 0 ? [] : [joined(pending)]), turn)
    pending = []
  }
  return pending.length === 0 ? result : [...result, joined(pending)]
}

/** Neighbours of one side as one turn. Calls and what tools answered are matched one to one, and stay. */
function mergeSides(turns: readonly ChatMessage[]): ChatMessage[] {
  const groups: ChatMessage[][] = []
  for (const turn of turns) {
    const group = groups.at(-1)
    const mergeable = turn.role === 'user' || turn.role === 'assistant'
    if (group !== undefined && mergeable && group[0]?.role === turn.role) group.push(turn)
    else groups.push([turn])
  }
  return groups.map(joined)
}

/** Templates that count turns from the user's want one before all others, if an empty one. */
function afterUser(turns: readonly ChatMessage[]): ChatMessage[] {
  const at = turns.findIndex(turn => !isSystem(turn))
  if (turns[at]?.role !== 'assistant') return [...turns]
  return turns.toSpliced(at, 0, { role: 'user', content: '' })
}

/** One turn that says what several say. */
function joined(turns: readonly ChatMessage[]): ChatMessage {
  const [first, ...others] = turns
  if (first === undefined) throw new RangeError('no turns to join')
  if (others.length === 0) return first
  const content = turns.map(turn => turn.content).filter(text => text !== '')
  const parts = turns.some(turn => turn.parts !== undefined) ? joinedParts(turns) : undefined
  const reasoning = turns.flatMap(turn => turn.reasoning ?? [])
  const toolCalls = turns.flatMap(turn => turn.toolCalls ?? [])
  return {
    ...first,
    content: content.join(SEPARATOR),
    ...(parts === undefined ? {} : { parts }),
    ...(reasoning.length === 0 ? {} : { reasoning: reasoning.join(SEPARATOR) }),
    ...(toolCalls.length === 0 ? {} : { toolCalls })
  }
}

function joinedParts(turns: readonly ChatMessage[]): ChatPart[] {
  return turns.flatMap(({ content, parts }, index) => {
    const own = parts ?? (content === '' ? [] : [{ type: 'text' as const, text: content }])
    return index === 0 || own.length === 0 ? own : [{ type: 'text' as const, text: SEPARATOR }, ...own]
  })
}

function isSystem({ role }: ChatMessage): boolean {
  return role === 'system' || role === 'developer'
}
