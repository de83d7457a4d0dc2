import { without } from './characters.ts'
import type { Expression } from './expression.ts'
import type { PatternAlphabet } from './pattern.ts'
import { GrammarRefusal, type RuleNode } from './rule-node.ts'
import type { WorkBudget } from './work-budget.ts'

const SURROGATES = [[0xd800, 0xdfff]] as const

/**
 * The texts of a grammar's rule `root`. Rules may contain themselves, but not before they have written anything: what is left to write
 * is then a state, a stack of what comes later, and every state is one that can be finished.
 *
 * @throws GrammarRefusal naming the rule or line that cannot be enforced
 */
export function ruleTexts(alphabet: PatternAlphabet, rules: ReadonlyMap<string, RuleNode>, root: string): Expression {
  const { budget } = alphabet.expressions
  requireRules(rules, root, budget)
  const nullable = namesWhere(rules, budget, mayBeEmpty)
  requireProgress(rules, nullable, budget)
  const productive = namesWhere(rules, budget, canEnd)
  if (!productive.has(root)) throw new GrammarRefusal(`allows no text: its ${root} has no end`)
  return new RuleCompiler(alphabet, rules, { nullable, productive }).text(root)
}

/** What a rule does, by what is known of others so far. */
type Trait = (node: RuleNode, known: ReadonlySet<string>) => boolean

function mayBeEmpty(node: RuleNode, known: ReadonlySet<string>): boolean {
  switch (node.type) {
    case 'literal':
      return node.text === ''
    case 'character':
      return false
    case 'texts':
      return node.texts.nullable
    case 'rule':
      return known.has(node.name)
    case 'sequence':
      return node.parts.every(part => mayBeEmpty(part, known))
    case 'choice':
      return node.options.some(option => mayBeEmpty(option, known))
    case 'repeat':
      return node.min === 0 || mayBeEmpty(node.item, known)
  }
}

function canEnd(node: RuleNode, known: ReadonlySet<string>): boolean {
  switch (node.type) {
    case 'literal':
      return true
    case 'character':
      return without(node.ranges, SURROGATES).length > 0
    case 'texts':
      return node.texts.form.type !== 'dead'
    case 'rule':
      return known.has(node.name)
    case 'sequence':
      return node.parts.every(part => canEnd(part, known))
    case 'choice':
      return node.options.some(option => canEnd(option, known))
    case 'repeat':
      return node.min === 0 || canEnd(node.item, known)
  }
}

/** The rules that have a trait: the fewest with which it holds. */
function namesWhere(rules: ReadonlyMap<string, RuleNode>, budget: WorkBudget, trait: Trait): ReadonlySet<string> {
  const known = new Set<string>()
  for (let before = -1; before < known.size; ) {
    before = known.size
    for (const [name, node] of rules) {
      if (known.has(name)) continue
      budget.spend(sizeOf(node))
      if (trait(node, known)) known.add(name)
    }
  }
  return known
}

function childrenOf(node: RuleNode): readonly RuleNode[] {
  if (node.type === 'sequence') return node.parts
  if (node.type === 'choice') return node.options
  return node.type === 'repeat' ? [node.item] : []
}

function sizeOf(node: RuleNode): number {
  return childrenOf(node).reduce((sum, child) => sum + sizeOf(child), 1)
}

function requireRules(rules: ReadonlyMap<string, RuleNode>, root: string, budget: WorkBudget): void {
  if (!rules.has(root)) throw new GrammarRefusal(`has no rule "${root}"`)
  const waiting = [...rules.values()]
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    budget.spend(1)
    if (node.type === 'rule' && !rules.has(node.name)) {
      throw new GrammarRefusal(`has no rule "${node.name}", which line ${node.line} uses`)
    }
    waiting.push(...childrenOf(node))
  }
}

/** @throws GrammarRefusal naming a rule that contains itself before it has written anything */
function requireProgress(
  rules: ReadonlyMap<string, RuleNode>,
  nullable: ReadonlySet<string>,
  budget: WorkBudget
): void {
  const done = new Set<string>()
  const onPath = new Set<string>()
  for (const start of rules.keys()) {
    const path = [{ name: start, firsts: firstsOf(start, rules, nullable, budget) }]
    onPath.add(start)
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      budget.spend(1)
      const name = top.firsts.pop()
      if (name === undefined) {
        path.pop()
        onPath.delete(top.name)
        done.add(top.name)
      } else if (onPath.has(name)) {
        throw new GrammarRefusal(`has a rule "${name}" that contains itself before it has written anything`)
      } else if (!done.has(name)) {
        path.push({ name, firsts: firstsOf(name, rules, nullable, budget) })
        onPath.add(name)
      }
    }
  }
}

/** Rules that may be where a rule begins. */
function firstsOf(
  name: string,
  rules: ReadonlyMap<string, RuleNode>,
  nullable: ReadonlySet<string>,
  budget: WorkBudget
): string[] {
  const firsts = new Set<string>()
  const whole = rules.get(name)
  const waiting = whole === undefined ? [] : [whole]
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    budget.spend(1)
    if (node.type === 'rule') firsts.add(node.name)
    else if (node.type !== 'sequence') waiting.push(...childrenOf(node))
    else {
      const end = node.parts.findIndex(part => !mayBeEmpty(part, nullable))
      waiting.push(...node.parts.slice(0, end < 0 ? undefined : end + 1))
    }
  }
  return [...firsts]
}

/** Rules whose texts may be empty, and rules that have texts at all. */
interface RuleTraits {
  readonly nullable: ReadonlySet<string>
  readonly productive: ReadonlySet<string>
}

class RuleCompiler {
  readonly #alphabet: PatternAlphabet
  readonly #rules: ReadonlyMap<string, RuleNode>
  readonly #traits: RuleTraits
  readonly #references = new Map<string, Expression>()
  readonly #texts = new Map<string, Expression>()
  readonly #waiting: string[] = []

  constructor(alphabet: PatternAlphabet, rules: ReadonlyMap<string, RuleNode>, traits: RuleTraits) {
    this.#alphabet = alphabet
    this.#rules = rules
    this.#traits = traits
  }

  /** The texts of a rule, with all that it uses: what takes too much work is found out now. */
  text(name: string): Expression {
    const whole = this.#referenceTo(name)
    for (let next = this.#waiting.pop(); next !== undefined; next = this.#waiting.pop()) {
      const node = this.#rules.get(next)
      this.#texts.set(next, node === undefined ? this.#alphabet.expressions.dead : this.#compiled(node))
    }
    return whole
  }

  #referenceTo(name: string): Expression {
    const { dead } = this.#alphabet.expressions
    // nothing that cannot end is written at all
    if (!this.#traits.productive.has(name)) return dead
    const known = this.#references.get(name)
    if (known !== undefined) return known
    const reference = this.#alphabet.expressions.reference(undefined, () => this.#texts.get(name) ?? dead)
    // a reference is never empty itself
    const whole = this.#traits.nullable.has(name) ? this.#alphabet.expressions.optional(reference) : reference
    this.#references.set(name, whole)
    this.#waiting.push(name)
    return whole
  }

  #compiled(node: RuleNode): Expression {
    const { expressions } = this.#alphabet
    expressions.budget.spend(1)
    switch (node.type) {
      case 'literal':
        return this.#alphabet.literal(node.text)
      case 'character':
        return this.#alphabet.characterOf(node.ranges)
      case 'texts':
        return node.texts
      case 'rule':
        return this.#referenceTo(node.name)
      case 'sequence':
        return expressions.sequence(node.parts.map(part => this.#compiled(part)))
      case 'choice':
        return expressions.choice(node.options.map(option => this.#compiled(option)))
      case 'repeat':
        return expressions.repeat(this.#compiled(node.item), node.min, node.max)
    }
  }
}
