import { MeshError } from '@resultity/interface'
import t, { type Test } from 'tap'
import { checkConstraint, Grammar, isLark, TEXT_GRAMMAR } from '../src/index.ts'

const lark = (...lines: string[]) => new Grammar({ type: 'gbnf', grammar: lines.join('\n') })

function refusal(...lines: string[]): string {
  try {
    checkConstraint({ type: 'gbnf', grammar: lines.join('\n') })
    return 'none'
  } catch (error) {
    return MeshError.from(error).message
  }
}

function compare(t: Test, grammar: Grammar, good: readonly string[], bad: readonly string[]): void {
  for (const text of good) t.ok(grammar.accepts(text), JSON.stringify(text))
  for (const text of bad) t.notOk(grammar.accepts(text), JSON.stringify(text))
}

t.test('a grammar is told by how it defines its rules', t => {
  for (const source of ['start: "a"', '// x\n?start.2 : A\nA: "a"', '%import common.INT\nstart: INT']) {
    t.ok(isLark(source), source)
  }
  for (const source of ['root ::= "a: b"', 'root ::= a\na ::= "x"\n', '', 'root', 'x = "a"'])
    t.notOk(isLark(source), source)
  t.end()
})

t.test('sums as people write them, with rules that contain themselves at their left', t => {
  const sums = lark(
    '?start: sum          // the root',
    '?sum: product',
    '    | sum "+" product   -> add',
    '    | sum "-" product   -> sub',
    '?product: atom | product "*" atom | product "/" atom',
    '?atom: NUMBER -> number',
    '     | "-" atom -> neg',
    '     | "(" sum ")"',
    '%import common.NUMBER',
    '%import common.WS_INLINE',
    '%ignore WS_INLINE'
  )
  compare(t, sums, ['1', '1+2*3', ' ( 1 - 2.5e3 ) / -4 ', '-(1)'], ['', '1+', '(1', '1 2', '1\n+2', 'a'])
  t.end()
})

t.test('every part of the language that is served', t => {
  const cases: [readonly string[], readonly string[], readonly string[]][] = [
    [
      ['start: "a" "b"?', ' | ("c" | "d")~2', ' | ["e"] "f"+'],
      ['a', 'ab', 'cd', 'dd', 'ff', 'eff'],
      ['c', 'e', 'b', 'cdc']
    ],
    [
      ['start: "x"~2..3 A', 'A.5: "0".."9" | B', 'B: /[a-c]{2}/'],
      ['xx1', 'xxxbc'],
      ['x1', 'xxxx1', 'xxb']
    ],
    [['start: "Select"i /from/i'], ['selectFROM', 'SELECTfrom'], ['selectfro']],
    [['start: "\\n\\"\\\\\\u00e9\\x41"'], ['\n"\\éA'], ['n']],
    [
      ['!start: a*', 'a: "x" | "(" a ")"'],
      ['', 'x(x)', '((x))'],
      ['(', '()']
    ],
    [['start: "a"', '', '# a comment', '  | "b" // another', 'x: "c"'], ['a', 'b'], ['c']],
    [['start: (', '  "a"', '  | "b"', ')'], ['a', 'b'], ['']],
    [
      ['%import common (INT, CNAME)', '%import common.ESCAPED_STRING -> TEXT', 'start: INT | CNAME | TEXT'],
      ['12', '_a1', '"a\\"b"'],
      ['1a', '"a"b"']
    ],
    [
      ['start: WORD ("," WORD)*', 'WORD: /[a-z]+/', '%ignore /\\s+/', '%ignore "#" /[^\\n]*/'],
      ['a , b', '\na,b # c\n'],
      ['a b,', 'a # b\nc']
    ],
    [['start: _A', '_A: "x"'], ['x'], ['']]
  ]
  for (const [lines, good, bad] of cases) compare(t, lark(...lines), good, bad)
  t.end()
})

t.test('what is not served is refused by name, with its line', t => {
  const cases: [readonly string[], RegExp][] = [
    [['start: x'], /no rule "x", which line 1 uses/],
    [['begin: "a"'], /no rule "start"/],
    [['start: "a"', 'start: "b"'], /"start" is there twice, in line 2/],
    [['start: t{"a"}', 't{x}: x'], /"\{" has no place, in line 1/],
    [['start: "a"', '%declare X'], /"%declare" is not served, in line 2/],
    [['%import python.NAME', 'start: NAME'], /only terminals of "common"/],
    [['%import common.NOPE', 'start: NOPE'], /no terminal "NOPE"/],
    [['start[lazy]: "a"', 'x: "b"'], /":" follows "start"; templates and attributes are not served, in line 1/],
    [['start: "a"', ' | /a/s'], /the flag "s" of a pattern is not served/],
    [['start: "a"', ' | /(?<!a)b/'], /looks ahead or behind, in line 2/],
    [['start: A', 'A: start | "x"'], /a terminal is made of the rule "start", in line 2/],
    [['start: a | "x"', 'a: start "y"'], /contains itself before it has written anything/],
    [['start: "a"~3..2'], /a count is from 0 to 1000/],
    [['start: ("a"'], /a group has no end/],
    [['start: "b".."a"'], /a range is from one character to a later one/],
    [['start: "a" -> x "\\q"'], /"\\q" cannot be followed/],
    [['start: start "a"'], /has no end|before it has written anything/],
    [[`start: ${'('.repeat(40)}"a"${')'.repeat(40)}`], /nested deeper/],
    [['start: ((("a"~900)~900)~900)~900 /(?:a{900}){900}/'], /characters|work|takes/]
  ]
  for (const [lines, message] of cases) t.match(refusal(...lines), message, lines.join(' / '))
  t.end()
})

// took minutes when each line end looked for a `|` behind all that follow it
t.test('line ends and comments without end are read in passing', t => {
  for (const gap of ['\n'.repeat(60_000), '\r\n// x\n'.repeat(8000), ' \n#'.repeat(15_000)]) {
    compare(t, lark(`start: "a"${gap}`, '', 'b: "b"'), ['a'], ['b'])
    compare(t, lark(`start: "a"${gap}`, ' | "b"'), ['a', 'b'], ['ab'])
  }
  t.equal(refusal('start: "a"', '', '// x', '', 'b: $').match(/line \d+/)?.[0], 'line 5')
  t.end()
})

t.test('a string of a document may be of a grammar', t => {
  const definition = 'start: "say" TEXT\nTEXT: /"[^"]*"/\n%ignore /[ \\n]/'
  const schema = {
    type: 'object',
    properties: { a: { type: 'string', [TEXT_GRAMMAR]: { syntax: 'lark', definition } } }
  }
  const held = new Grammar({ type: 'json_schema', schema: JSON.stringify(schema) })
  for (const text of ['say"x"', 'say\n"a\tb"', ' say "é\\" ']) t.ok(held.accepts(JSON.stringify({ a: text })), text)
  for (const text of ['say', 'say"', 'say"x" y']) t.notOk(held.accepts(JSON.stringify({ a: text })), text)
  t.end()
})
