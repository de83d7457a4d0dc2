import { GrammarRefusal } from './rule-node.ts'
import type { WorkBudget } from './work-budget.ts'

/** A word of a grammar in Lark. */
export interface LarkToken {
  readonly type: 'name' | 'text' | 'pattern' | 'number' | 'sign' | 'directive' | 'line end'
  readonly text: string
  readonly line: number
}

/** White space and comments; a line that goes on with `|` has no end. */
const SPACE = /(?:[ \t\f]|(?:\/\/|#)[^\n]*|\r?\n(?=(?:\s|(?:\/\/|#)[^\n]*\n)*\|))+/y
const TOKENS: readonly (readonly [LarkToken['type'], RegExp])[] = [
  ['line end', /\r?\n/y],
  ['directive', /%[a-z_]+/y],
  ['name', /[A-Za-z_]\w*/y],
  ['text', /"(?:[^"\\\n]|\\[^\n])*"i?/y],
  ['pattern', /\/(?:\\[^\n]|[^/\\\n])+\/[a-z]*/y],
  ['number', /\d+/y],
  ['sign', /->|\.\.|[:|()[\]?*+~,.!]/y]
]

/** @throws GrammarRefusal naming the line of what is no part of a grammar */
export function larkTokens(source: string, budget: WorkBudget): readonly LarkToken[] {
  const tokens: LarkToken[] = []
  let at = 0
  let line = 1
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    const [found] = pattern.exec(source) ?? []
    if (found !== undefined) at += found.length
    return found
  }
  while (at < source.length) {
    line += lineEnds(take(SPACE) ?? '')
    budget.spend(4)
    if (at >= source.length) break
    const start = at
    const type = TOKENS.find(([, pattern]) => take(pattern) !== undefined)?.[0]
    const text = source.slice(start, at)
    if (type === undefined) {
      throw new GrammarRefusal(
        `is no grammar that can be held to: "${String.fromCodePoint(source.codePointAt(at) ?? 0)}" has no place, in line ${line}`
      )
    }
    tokens.push({ type, text, line })
    line += lineEnds(text)
  }
  return tokens
}

function lineEnds(text: string): number {
  return text.split('\n').length - 1
}
