import { common, oneOf, without } from './characters.ts'
import type { Expression, Expressions } from './expression.ts'
import { PLAIN } from './json-characters.ts'

/** How the names of an object are written. */
export interface NameSpelling {
  readonly expressions: Expressions
  /** A character that stands in a string as it is. */
  readonly plain: Expression
  readonly quote: Expression
}

/** Names that begin alike, by their next character. */
interface NameNode {
  readonly next: Map<number, NameNode>
  isName: boolean
}

/**
 * A quoted name that is none of `names`. It has no escapes, so that none can be written another way. Names may have
 * any length: nothing here calls itself.
 */
export function otherName(json: NameSpelling, names: readonly string[]): Expression {
  const { expressions } = json
  const nodes = nodesOf(json, names)
  const tail = expressions.pair(expressions.repeat(json.plain), json.quote)
  const made = new Map<NameNode, Expression>()
  // those that were made last stand deepest
  for (const node of nodes.toReversed()) {
    const taken = [...node.next.keys()].map(code => [code, code] as const)
    expressions.budget.spend(16 + 4 * taken.length)
    const options = [expressions.pair(oneOf(expressions, without(PLAIN, taken)), tail)]
    for (const [code, below] of node.next) {
      const character = oneOf(expressions, common(PLAIN, [[code, code]]))
      options.push(expressions.pair(character, made.get(below) ?? expressions.dead))
    }
    if (!node.isName) options.push(json.quote)
    made.set(node, expressions.choice(options))
  }
  const [root] = nodes
  return expressions.pair(json.quote, (root && made.get(root)) ?? expressions.dead)
}

/** As a tree over their characters, its root first and every node before those below it. */
function nodesOf({ expressions }: NameSpelling, names: readonly string[]): NameNode[] {
  const root: NameNode = { next: new Map(), isName: false }
  const nodes = [root]
  for (const name of names) {
    expressions.budget.spend(name.length)
    let node = root
    for (const character of name) {
      const code = character.codePointAt(0) ?? 0
      let below = node.next.get(code)
      if (below === undefined) {
        below = { next: new Map(), isName: false }
        node.next.set(code, below)
        nodes.push(below)
      }
      node = below
    }
    node.isName = true
  }
  return nodes
}
