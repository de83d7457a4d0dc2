import fc from 'fast-check'
import { type Body, CHAT, plainChat } from './chat-ideas.ts'
import { type Idea, post, SERVED } from './hostile-case.ts'
import { hostilePattern } from './patterns.ts'
import { mostly, type Scale, someOf } from './scale.ts'
import { hostileText } from './texts.ts'
import { hostileValue } from './values.ts'

/** Tokens of a constrained answer: enough to walk some way into the automaton. */
const ANSWER_TOKENS = fc.constantFrom(1, 8, 40)

/** Rules that are right, and multiply: each level holds the one before some times over. */
function nestedRules({ depth }: Scale): fc.Arbitrary<string> {
  const level = fc.constantFrom('(x)*', '(x)+', '(x){0,14}', '(x | x x)', '(x x?)', '(x){100}', 'x x', '(x | "b")')
  return fc
    .tuple(fc.array(level, { minLength: 1, maxLength: depth }), fc.constantFrom('"a"', '[a-z]', '[^x]', '.', '""'))
    .map(([levels, core]) => {
      const rules = levels.map((form, index) => `r${index} ::= ${form.replaceAll('x', `r${index + 1}`)}`)
      return ['root ::= r0', ...rules, `r${levels.length} ::= ${core}`].join('\n')
    })
}

/** Rules that contain themselves: before they wrote anything, after, in the middle, and by way of each other. */
const recursiveRules = fc.constantFrom(
  'root ::= root',
  'root ::= root "a" | "a"',
  'root ::= "a" root | "a"',
  'root ::= "(" root ")" | ""',
  'root ::= root root | "a"',
  'root ::= a\na ::= b\nb ::= a',
  'root ::= a "x"\na ::= b | ""\nb ::= a "y"',
  'root ::= ("a" root "b" root)*',
  'root ::= "" root'
)

function wideRules({ width, characters }: Scale): fc.Arbitrary<string> {
  return fc.oneof(
    someOf(width).map(count => `root ::= ${Array.from({ length: count }, (_, index) => `"a${index}"`).join(' | ')}`),
    someOf(width).map(count =>
      ['root ::= r0', ...Array.from({ length: count }, (_, index) => `r${index} ::= "a" r${index + 1}?`)].join('\n')
    ),
    someOf(Math.min(characters, 60_000)).map(length => `root ::= "${'a'.repeat(length)}"`),
    someOf(width * 10).map(count => `root ::= ${'('.repeat(count)}"a"${')'.repeat(count)}`)
  )
}

const brokenRules = fc.constantFrom(
  'root ::=',
  'root',
  'root ::= "a',
  'root ::= [z-a]',
  'root ::= "\\x"',
  'root ::= missing',
  'other ::= "a"',
  'root ::= "a"{2,1}',
  'root ::= "a"{99999999999}',
  'root ::= <think>',
  'root ::= "a"\nroot ::= "b"',
  '\u0000',
  'root ::= "\\U0010FFFF"',
  'root ::= "\\uD800"'
)

/** Rules in Lark: what multiplies, contains itself, is ignored everywhere, takes what is common, or is no grammar. */
function larkRules({ width, depth }: Scale): fc.Arbitrary<string> {
  const level = fc.constantFrom('(x)*', '(x)+', '(x)~0..14', '(x | x x)', '[x x]', '(x)~100', 'x x', '(x | "b"i)')
  const nested = fc
    .tuple(
      fc.array(level, { minLength: 1, maxLength: depth }),
      fc.constantFrom('"a"', '/[a-z]+/', '/(a+)+/i', '"a".."z"')
    )
    .map(([levels, core]) => {
      const rules = levels.map((form, index) => `r${index}: ${form.replaceAll('x', `r${index + 1}`)}`)
      return ['start: r0', ...rules, `r${levels.length}: ${core}`, '%ignore /[ \\n]+/'].join('\n')
    })
  const known = fc.constantFrom(
    'start: start',
    'start: start "+" start | "a"',
    'start: a\na: b | "x"\nb: a | "y"',
    'start: "a" | "a" start "b"\n%ignore "a"',
    'start: WORD+\n%import common.WORD\n%import common.WS\n%ignore WS\n%ignore WS',
    'start: (INT | CNAME | ESCAPED_STRING)*\n%import common (INT, CNAME, ESCAPED_STRING)',
    'start: A\nA: A | "x"',
    'start: A\nA: "x" A?',
    'start: t{"a"}\nt{x}: x',
    'start: "a"~5..2',
    'start: "a"~99999999',
    'start: /(?<!a)b/',
    'start: /[^a]/i',
    'start: "\\ud800"',
    'start[lazy]: "a"',
    'start: %json {}',
    '%import python.NAME\nstart: NAME',
    '%declare X\nstart: X',
    'start: "a\nb: "c"',
    '%ignore ""\nstart: "a"',
    'start: \n | \n | "a"'
  )
  const wide = fc.oneof(
    someOf(width).map(count => `start: ${Array.from({ length: count }, (_, index) => `"a${index}"`).join(' | ')}`),
    someOf(width).map(count => `start: ${'('.repeat(count)}"a"${')'.repeat(count)}`),
    someOf(width).map(count => `start: "a"${'\n'.repeat(count)}| "b"`),
    someOf(width).map(count => `start: "a" ${'// '.repeat(count)}`)
  )
  return fc.oneof(nested, known, wide)
}

function hostileRules(scale: Scale): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 3, arbitrary: nestedRules(scale) },
    { weight: 2, arbitrary: recursiveRules },
    { weight: 2, arbitrary: wideRules(scale) },
    { weight: 3, arbitrary: larkRules(scale) },
    { weight: 1, arbitrary: brokenRules },
    { weight: 1, arbitrary: hostileText(scale) }
  )
}

function hostileChoices({ width, characters }: Scale): fc.Arbitrary<unknown> {
  const length = Math.min(characters, 60_000)
  return fc.oneof(
    fc
      .tuple(someOf(Math.min(width, 1_030)), someOf(60))
      .map(([count, shared]) => Array.from({ length: count }, (_, index) => `${'a'.repeat(shared)}${index}`)),
    fc.constantFrom([], [''], ['', 'a'], ['a', 'a'], ['\ud800'], [1], 'a', ['a'.repeat(length), 'b'])
  )
}

const grammars: Idea = {
  name: 'grammars, patterns and choices',
  weight: 5,
  drafts: scale => {
    const rules = hostileRules(scale)
    const pattern = hostilePattern(scale)
    const choices = hostileChoices(scale)
    const how: fc.Arbitrary<Body> = fc.oneof(
      rules.map(grammar => ({ grammar })),
      rules.map(guided_grammar => ({ guided_grammar })),
      pattern.map(guided_regex => ({ guided_regex })),
      choices.map(guided_choice => ({ guided_choice })),
      fc.oneof(
        rules.map(grammar => ({ structured_outputs: { grammar } })),
        pattern.map(regex => ({ structured_outputs: { regex } })),
        choices.map(choice => ({ structured_outputs: { choice } })),
        hostileValue(scale).map(structured_outputs => ({ structured_outputs }))
      )
    )
    return fc
      .tuple(how, ANSWER_TOKENS, fc.boolean())
      .map(([constraint, max_tokens, stream]) => post(CHAT, plainChat({ ...constraint, max_tokens, stream })))
  }
}

const endings: Idea = {
  name: 'when an answer may end',
  weight: 2,
  drafts: scale =>
    fc
      .record(
        {
          min_tokens: mostly(fc.constantFrom(0, 1, 12), fc.constantFrom(13, -1, 2 ** 53)),
          stop_token_ids: mostly(
            fc.array(fc.nat(767), { maxLength: 64 }),
            fc.oneof(hostileValue(scale), fc.constant([1e9]))
          ),
          include_stop_str_in_output: fc.boolean(),
          stop: fc.array(hostileText({ ...scale, characters: 400 }), { maxLength: 17 }),
          guided_choice: fc.constantFrom(['a'], ['yes', 'no']),
          ignore_eos: fc.boolean(),
          stream: fc.boolean()
        },
        { requiredKeys: ['min_tokens'] }
      )
      .map(fields => post(CHAT, plainChat(fields)))
}

const tokenization: Idea = {
  name: 'tokens of hostile text',
  weight: 3,
  drafts: scale => {
    const model = SERVED.chat
    const messages = fc.array(
      fc.record({ role: fc.constantFrom('user', 'assistant', 'system'), content: hostileText(scale) }),
      { maxLength: 4 }
    )
    return fc.oneof(
      hostileText(scale).map(prompt => post('/tokenize', { model, prompt })),
      messages.map(turns => post('/tokenize', { model, messages: turns })),
      messages.map(turns => post('/apply-template', { model, messages: turns })),
      mostly(fc.array(fc.nat(800), { maxLength: scale.width }), hostileValue(scale)).map(tokens =>
        post('/detokenize', { model, tokens })
      ),
      hostileValue(scale).map(prompt => post('/tokenize', { model, prompt }))
    )
  }
}

/** Of what holds an answer to a form, and of tokens. */
export const constraintIdeas: readonly Idea[] = [grammars, endings, tokenization]
