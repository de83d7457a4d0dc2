import type { CodePoints } from './characters.ts'
import type { Expression } from './expression.ts'

/** What a rule may write. */
export type RuleNode =
  | { readonly type: 'literal'; readonly text: string }
  | { readonly type: 'character'; readonly ranges: CodePoints }
  /** What was made of a pattern. */
  | { readonly type: 'texts'; readonly texts: Expression }
  | { readonly type: 'rule'; readonly name: string; readonly line: number }
  | { readonly type: 'sequence'; readonly parts: readonly RuleNode[] }
  | { readonly type: 'choice'; readonly options: readonly RuleNode[] }
  | { readonly type: 'repeat'; readonly item: RuleNode; readonly min: number; readonly max: number }

/** Thrown for a text that is not a grammar, or for a grammar that cannot be enforced. */
export class GrammarRefusal extends Error {}

/** Largest count of a repetition. */
export const COUNT_MAX = 1000
/** Groups within groups. */
export const RULE_DEPTH_MAX = 32
export const RULE_NAME_CHARACTERS_MAX = 128
