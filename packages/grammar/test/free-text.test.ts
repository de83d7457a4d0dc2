import type { OutputConstraint } from '@resultity/interface'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { checkConstraint, Grammar } from '../src/index.ts'
import { randomText } from './random-text.ts'

const gbnf = (...rules: string[]): Grammar => new Grammar({ type: 'gbnf', grammar: rules.join('\n') })

t.test('a pattern is followed from the beginning of a text to its end', async t => {
  const atoms = ['a', 'b', '.', '\\d', '[^a]', '"', '\\\\', '\\n', 'é', '(a|bb)', '(?:ab?){1,2}', 'a*', '[a-c"]+']
  const patterns = fc.array(fc.constantFrom(...atoms, '|'), { maxLength: 5 }).map(parts => parts.join(''))
  const texts = fc.array(fc.constantFrom('a', 'b', '1', '"', '\\', '\n', 'é', '日'), { maxLength: 5 })
  const property = fc.property(patterns, fc.array(texts, { minLength: 6, maxLength: 6 }), (pattern, all) => {
    const grammar = new Grammar({ type: 'regex', pattern })
    const whole = new RegExp(`^(?:${pattern})$`, 'u')
    return all.every(letters => grammar.accepts(letters.join('')) === whole.test(letters.join('')))
  })
  assertProperty(property, { numRuns: 500 })
  for (const pattern of ['^a+$', 'a+', '^a+', '(?=aa)a+', '(?!b).+']) {
    t.ok(new Grammar({ type: 'regex', pattern }).accepts('aaa'), pattern)
    t.notOk(new Grammar({ type: 'regex', pattern }).accepts('baaa'), pattern)
  }
})

t.test('a choice is one of its texts, as they are', async t => {
  const grammar = new Grammar({ type: 'choice', texts: ['yes', 'yes, "quoted"', 'не', '\n'] })
  for (const text of ['yes', 'yes, "quoted"', 'не', '\n']) t.ok(grammar.accepts(text), text)
  for (const text of ['', 'ye', 'yes,', 'no', 'yesyes']) t.notOk(grammar.accepts(text), text)
})

t.test('a grammar says what llama.cpp takes it to say', async t => {
  const cases: readonly (readonly [rules: string, fits: string[], not: string[]])[] = [
    ['root ::= "a" [b-d] [^e\\n] .', ['abxy', 'ad日\n'], ['aexy', 'abe.', 'abx']],
    [
      'root ::= ("a" | "b")+ "c"? "d"{2} "e"{1,2} "f"{1,} "g"{,1}',
      ['abddef', 'acddeeffg'],
      ['ddef', 'addeeef', 'adde']
    ],
    ['root ::= "\\x41\\u00e9\\U0001F600\\t\\"\\\\"', ['Aé😀\t"\\'], ['A']],
    ['# a comment\nroot ::= item ("," item)* # more\nitem ::= [0-9]+ |\n  "x"', ['1,x,23', 'x'], ['1,', '']],
    ['root ::= (\n  "a" # within a group\n  "b"\n)', ['ab'], ['a']],
    ['root ::= "" | "a" root', ['', 'aaa'], ['b']],
    ['root ::= opt opt "x"\nopt ::= "a" |', ['x', 'ax', 'aax'], ['aaax']],
    ['root ::= "(" root ")" | "x"', ['x', '(((x)))'], ['((x)', '(x))', '']],
    ['root ::= "a" root "a" | "b" root "b" | ""', ['', 'abba', 'baab'], ['aba', 'abab']],
    ['root ::= "a" | never "b"\nnever ::= "c" never', ['a'], ['cb', 'c']],
    ['a-b_2 ::= "z"\r\nroot ::= a-b_2{2}\r\n', ['zz'], ['z']]
  ]
  for (const [rules, fits, not] of cases) {
    const grammar = gbnf(rules)
    for (const text of fits) t.ok(grammar.accepts(text), `${rules}: ${text}`)
    for (const text of not) t.notOk(grammar.accepts(text), `${rules}: not ${text}`)
  }
})

/** What `root` below writes, by another way: a sum of products of numbers and sums in brackets. */
function isSum(text: string): boolean {
  const inner = text.replaceAll(/\d+/g, 'n')
  let before = ''
  let now = inner
  while (now !== before) [before, now] = [now, now.replaceAll(/n[*+]n/g, 'n').replaceAll('(n)', 'n')]
  return now === 'n'
}

t.test('a grammar that contains itself has no dead end', async t => {
  const rules = ['root ::= term ("+" term)*', 'term ::= atom ("*" atom)*', 'atom ::= [0-9]{1,3} | "(" root ")"']
  const grammar = gbnf(...rules)
  for (let seed = 0; seed < 100; seed++) t.ok(isSum(randomText(grammar, seed)))
  const letters = fc.array(fc.constantFrom('1', '+', '*', '(', ')'), { maxLength: 9 }).map(all => all.join(''))
  assertProperty(fc.property(letters, text => grammar.accepts(text) === isSum(text)))
  const deep = `${'('.repeat(5000)}1${')'.repeat(5000)}`
  t.ok(grammar.accepts(deep), 'as deep as a text is long')
  t.notOk(grammar.accepts(deep.slice(1)))
})

t.test('what cannot be held to is refused, naming the place', async t => {
  const cases: readonly (readonly [constraint: OutputConstraint, message: RegExp])[] = [
    [{ type: 'regex', pattern: '(a' }, /has no end/],
    [{ type: 'regex', pattern: '(a)\\1' }, /cannot be followed/],
    [{ type: 'regex', pattern: '[^\\s\\S]' }, /allows no text/],
    [{ type: 'regex', pattern: 'a'.repeat(70_000) }, /70000 characters/],
    [{ type: 'gbnf', grammar: 'start ::= "a"' }, /no rule "root"/],
    [{ type: 'gbnf', grammar: 'root ::= "a"\n\nroot ::= b' }, /"root" is there twice, in line 3/],
    [{ type: 'gbnf', grammar: 'root ::= "a"\n  b' }, /"::=" follows "b", in line 2/],
    [{ type: 'gbnf', grammar: 'root ::= "a\n"' }, /a text has no end, in line 1/],
    [{ type: 'gbnf', grammar: 'root ::= [a' }, /a set has no end/],
    [{ type: 'gbnf', grammar: 'root ::= ("a"' }, /a group has no end/],
    [{ type: 'gbnf', grammar: 'root ::= * "a"' }, /nothing to repeat/],
    [{ type: 'gbnf', grammar: `root ::= "a"${'*'.repeat(60_000)}` }, /nothing to repeat/],
    [{ type: 'gbnf', grammar: 'root ::= "a"{3,2}' }, /the count/],
    [{ type: 'gbnf', grammar: 'root ::= "\\q"' }, /cannot be followed/],
    [{ type: 'gbnf', grammar: 'root ::= "\\uD800"' }, /no code/],
    [{ type: 'gbnf', grammar: `root ::= ${'('.repeat(40)}"a"${')'.repeat(40)}` }, /deeper than 32/],
    [{ type: 'gbnf', grammar: 'root ::= <think> "a"' }, /tokens cannot be asked for/],
    [{ type: 'gbnf', grammar: 'root ::= "a"\nb ::= other' }, /no rule "other", which line 2 uses/],
    [{ type: 'gbnf', grammar: 'root ::= root "a" | "b"' }, /"root" that contains itself/],
    [{ type: 'gbnf', grammar: 'root ::= a\na ::= "x"? b\nb ::= a "y"' }, /that contains itself/],
    [{ type: 'gbnf', grammar: 'root ::= "a" root' }, /allows no text/]
  ]
  for (const [constraint, message] of cases) {
    const refused = { code: 'invalid_request', message, details: { param: 'schema' } }
    t.throws(() => checkConstraint(constraint), refused, JSON.stringify(constraint).slice(0, 80))
  }
})

t.test('what takes too much work is broken off', async t => {
  const many = Array.from({ length: 4000 }, (_, index) => `r${index} ::= r${index + 1} | "a"`)
  const chain = { type: 'gbnf', grammar: ['root ::= r0', ...many, 'r4000 ::= "b"'].join('\n') } as const
  t.throws(() => new Grammar(chain).accepts('a'), { code: 'invalid_request' }, 'a long way to the first byte')
  // what is left to write differs in every way to read what came, and is one state all the same
  const ambiguous = gbnf('root ::= "a" root x | "a" root y | "a"', 'x ::= "a" | "b"', 'y ::= "a" | "c"')
  t.ok(ambiguous.accepts('a'.repeat(201)))
  t.notOk(ambiguous.accepts('a'.repeat(200)))
})
