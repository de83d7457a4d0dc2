import { GrammarRefusal } from './rule-node.ts'
import type { WorkBudget } from './work-budget.ts'

/** A word of a grammar in Lark. */
export interface LarkToken {
  readonly type: 'name' | 'text' | 'pattern' | 'number' | 'sign' | 'directive' | 'line end'
  readonly text: string
  readonly line: number
}

/** White space within a line, and comments. */
const SPACE = /(?:[ \t\f]|(?:\/\/|#)[^\n]*)+/y
const LINE_END = /\r?\n/y
const TOKENS: readonly (readonly [LarkToken['type'], RegExp])[] = [
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
    const endedLine = line
    for (;;) {
      budget.spend(4)
      take(SPACE)
      if (take(LINE_END) === undefined) break
      line++
    }
    if (at >= source.length) break
    // a line that goes on with `|` has no end
    if (line > endedLine && source[at] !== '|') tokens.push({ type: 'line end', text: '\n', line: endedLine })
    const start = at
    const type = TOKENS.find(([, pattern]) => take(pattern) !== undefined)?.[0]
    const text = source.slice(start, at)
    if (type === undefined) {
      throw new GrammarRefusal(
        `is no grammar that can be held to: "${String.fromCodePoint(source.codePointAt(at) ?? 0)}" has no place, in line ${line}`
      )
    }
    tokens.push({ type, text, line })
  }
  return tokens
}
