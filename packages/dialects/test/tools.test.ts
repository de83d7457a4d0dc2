import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { type AnswerPiece, type AnswerReader, hermesDialect, recogniseDialect, type ToolDialect } from '../src/index.ts'

const names = new Set(['add', 'now'])

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Pieces of one kind that follow each other, joined: what does not depend on how the text was cut. */
function joined(pieces: readonly AnswerPiece[]): unknown[] {
  const merged: { type: string; index: number; text: string }[] = []
  for (const piece of pieces) {
    const index = piece.type === 'content' ? -1 : piece.index
    const text = piece.type === 'call' ? piece.name : piece.text
    const last = merged.at(-1)
    if (piece.type !== 'call' && last?.type === piece.type && last.index === index) last.text += text
    else merged.push({ type: piece.type, index, text })
  }
  return merged.map(({ type, index, text }) => (index < 0 ? text : type === 'call' ? [text] : JSON.parse(text)))
}

function read(reader: AnswerReader, texts: readonly string[]): unknown[] {
  return joined([...texts.flatMap(text => reader.push(text)), ...reader.flush()])
}

const isText = (_: string, key: string): boolean => key === 'text'
const readerOf = (dialect: ToolDialect, parallel = true) => dialect.reader({ names, parallel, parseJson, isText })

/** What a template of each family writes of a call of `add`. */
const WRITTEN = {
  hermes: '<|im_start|>assistant\n<tool_call>\n{"name": "add", "arguments": {"x": 1}}\n</tool_call><|im_end|>',
  'llama-json': '<|end_header_id|>\n\n{"name": "add", "parameters": {"x": 1}}<|eot_id|>',
  'mistral-list': '[TOOL_CALLS] [{"name": "add", "arguments": {"x": 1}, "id": "probe0001"}]</s>',
  mistral: '[TOOL_CALLS]add[ARGS]{"x": 1}</s>',
  pythonic: '<|tool_call_start|>[add(x=1)]<|tool_call_end|>',
  xml: '<tool_call>\n<function=add>\n<parameter=x>\n1\n</parameter>\n</function>\n</tool_call>',
  gemma: '<|tool_call>call:add{x:1}<tool_call|>',
  channels: '<|start|>assistant<|channel|>commentary to=functions.add json<|message|>{"x": 1}<|call|>'
}
type Family = keyof typeof WRITTEN

function dialectOf(family: Family): ToolDialect {
  const dialect = recogniseDialect(WRITTEN[family], 'add')
  if (dialect === undefined) throw new Error(`nobody writes as ${family}`)
  return dialect
}

const ADDED = [['add'], { x: 1 }]
const NOW = [['now'], {}]
const cases: Record<Family, readonly (readonly [text: string, pieces: unknown[], parallel?: boolean])[]> = {
  hermes: [
    ['Hello <b>there</b>. ', ['Hello <b>there</b>. ']],
    ['<tool_call>\n{"name": "add", "arguments": {"x": 1}}\n</tool_call>', ADDED],
    [
      'See.\n\n<tool_call>{"name":"now"}</tool_call>\n<tool_call>{"name":"add","parameters":"{\\"x\\":1}"}</tool_call>\n',
      ['See.', ...NOW, ...ADDED]
    ],
    ['<tool_call>{"name":"now"}</tool_call><tool_call>{"name":"now"}</tool_call>', NOW, false],
    ['<tool_call>{"name":"now"}</tool_call>\nDone.', [...NOW, '\nDone.']],
    ['<tool_call>{"name":"now"}', NOW],
    ['a <tool_call>oops</tool_call> b', ['a <tool_call>oops</tool_call> b']],
    ['<tool_call>{"name":"rm"}</tool_call>', ['<tool_call>{"name":"rm"}</tool_call>']],
    [
      '<tool_call>{"name":"now","arguments":[1]}</tool_call>',
      ['<tool_call>{"name":"now","arguments":[1]}</tool_call>']
    ],
    ['x<tool_call>{"name":"no', ['x<tool_call>{"name":"no']],
    ['a <tool_cal> <tool_c', ['a <tool_cal> <tool_c']]
  ],
  'llama-json': [
    ['{"name": "add", "parameters": {"x": 1}}', ADDED],
    ['\n<|python_tag|>{"name": "add", "parameters": {"x": 1}}; {"name": "now", "parameters": {}}', [...ADDED, ...NOW]],
    ['{"name": "add", "parameters": {"x": 1}} {"name": "now"} ', [...ADDED, ...NOW]],
    ['{"answer": "}{"} ', ['{"answer": "}{"} ']],
    ['So {"name": "now"}', ['So {"name": "now"}']],
    ['<|python_tag|>print(1)', ['<|python_tag|>print(1)']],
    ['{"name": "add", "par', ['{"name": "add", "par']],
    ['{"name": "now"}; no', [...NOW, '; no']]
  ],
  'mistral-list': [
    ['[TOOL_CALLS] [{"name": "add", "arguments": {"x": 1}}, {"name": "now", "arguments": {}}]', [...ADDED, ...NOW]],
    ['[TOOL_CALLS][{"name": "now", "arguments": {}, "id": "abcdefghi"}, {"name": "now"}]', NOW, false],
    ['[TOOL_CALLS] none', ['[TOOL_CALLS] none']],
    ['[TOOL_CALLS] [{"name": "rm"}]', ['[TOOL_CALLS] [{"name": "rm"}]']]
  ],
  mistral: [
    ['Well. [TOOL_CALLS]add[ARGS]{"x": 1}[TOOL_CALLS]now[CALL_ID]abcdefghi[ARGS]{}', ['Well.', ...ADDED, ...NOW]],
    ['[TOOL_CALLS]now{}', NOW],
    ['[TOOL_CALLS]now[ARGS]', ['[TOOL_CALLS]now[ARGS]']],
    ['[TOOL_CALLS]what is this? [ARGS]', ['[TOOL_CALLS]what is this? [ARGS]']]
  ],
  pythonic: [
    ['[add(x=1), now()]', [...ADDED, ...NOW]],
    ['<|tool_call_start|>[add(x=1)]<|tool_call_end|>\n', ADDED],
    ['Sure. <|python_start|>[now()]<|python_end|>', ['Sure.', ...NOW]],
    [
      "[add(s='a])\\'', l=[1, -2.5e1, None], d={'k': True, \"j\": ()},)]",
      [['add'], { s: "a])'", l: [1, -25, null], d: { k: true, j: [] } }]
    ],
    ['[1, 2, 3] are numbers', ['[1, 2, 3] are numbers']],
    ['[add(1)]', ['[add(1)]']],
    ['[add(x=', ['[add(x=']],
    ['<|tool_call_start|>[add(x=1)', ['<|tool_call_start|>[add(x=1)']]
  ],
  xml: [
    ['<tool_call>\n<function=add>\n<parameter=x>\n1\n</parameter>\n</function>\n</tool_call>', ADDED],
    [
      '<function=add>\n<parameter=text>\n1\n2 <b>\n</parameter>\n<parameter=list>\n["a"]\n</parameter>\n</function>',
      [['add'], { text: '1\n2 <b>', list: ['a'] }]
    ],
    ['Ok.\n<tool_call>\n<function=now>\n</function>\n</tool_call>', ['Ok.', ...NOW]],
    ['<tool_call>{"name": "add", "arguments": {"x": 1}}</tool_call>', ADDED],
    [
      '<tool_call>\n<function=rm>\n</function>\n</tool_call>',
      ['<tool_call>\n<function=rm>\n</function>\n</tool_call>']
    ],
    [
      '<tool_call>\n<function=add>\nx is 1\n</function>\n</tool_call>',
      ['<tool_call>\n<function=add>\nx is 1\n</function>\n</tool_call>']
    ]
  ],
  gemma: [
    ['<|tool_call>call:add{x:1}<tool_call|><|tool_call>call:now{}<tool_call|>', [...ADDED, ...NOW]],
    [
      '<|tool_call>call:add{s:<|"|>a, "b}<|"|>,l:[<|"|>c<|"|>,true],o:{k:null,x-y:2}}<tool_call|>',
      [['add'], { s: 'a, "b}', l: ['c', true], o: { k: null, 'x-y': 2 } }]
    ],
    ['<start_function_call>call:add{s:<escape>a<escape>}<end_function_call>', [['add'], { s: 'a' }]],
    ['<|tool_call>call:add{x:}<tool_call|>', ['<|tool_call>call:add{x:}<tool_call|>']],
    ['<|tool_call>call:add{s:<|"|>a', ['<|tool_call>call:add{s:<|"|>a']]
  ],
  channels: [
    ['<|channel|>commentary to=functions.add <|constrain|>json<|message|>{"x": 1}<|call|>', ADDED],
    [' to=functions.now<|channel|>commentary json<|message|>{}', NOW],
    ['Fine.', ['Fine.']],
    [
      '<|channel|>commentary to=functions.rm<|message|>{}<|call|>',
      ['<|channel|>commentary to=functions.rm<|message|>{}<|call|>']
    ]
  ]
}

t.test('a family is known by how its template writes a call', async t => {
  for (const [family, written] of Object.entries(WRITTEN)) t.equal(recogniseDialect(written, 'add')?.name, family)
  t.equal(recogniseDialect('calls add with 1', 'add'), undefined)
})

t.test('calls are found in free text, however it is cut', async t => {
  for (const family of Object.keys(cases) as Family[]) {
    const dialect = dialectOf(family)
    for (const [text, pieces, parallel = true] of cases[family]) {
      const id = `${family}: ${text}`
      t.same(read(readerOf(dialect, parallel), [text]), pieces, id)
      t.same(read(readerOf(dialect, parallel), [...text]), pieces, `${id}, letter by letter`)
      const cuts = fc.property(fc.array(fc.nat(text.length), { maxLength: 6 }), places => {
        const at = [0, ...places.toSorted((a, b) => a - b), text.length]
        const texts = at.slice(1).map((end, index) => text.slice(at[index], end))
        return JSON.stringify(read(readerOf(dialect, parallel), texts)) === JSON.stringify(pieces)
      })
      assertProperty(cuts, { numRuns: 50 })
    }
  }
})

t.test('any text is read the same however it is cut, and none of what is no call is lost', async () => {
  for (const family of Object.keys(cases) as Family[]) {
    const dialect = dialectOf(family)
    const bits = [
      ...new Set(cases[family].flatMap(([text]) => text.match(/<[^>]*>|\[[A-Z_]+\]|\w+|\s+|[^\w\s]/g) ?? []))
    ]
    const property = fc.property(fc.array(fc.constantFrom(...bits), { maxLength: 12 }), fc.nat(), (list, at) => {
      const text = list.join('')
      const whole = read(readerOf(dialect), [text])
      const cut = read(readerOf(dialect), [text.slice(0, at % (text.length + 1)), text.slice(at % (text.length + 1))])
      const isLost = whole.every(piece => typeof piece === 'string') && whole.join('') !== text
      return JSON.stringify(whole) === JSON.stringify(cut) && !isLost
    })
    assertProperty(property, { numRuns: 200 })
  }
})

t.test('not a letter of a block is shown before it is known not to be a call', async t => {
  const reader = readerOf(hermesDialect)
  const shown: AnswerPiece[] = []
  for (const letter of 'See: <tool_call>{"name":"now"}</tool_call>') shown.push(...reader.push(letter))
  t.same(joined(shown.filter(piece => piece.type === 'content')), ['See:'])
  t.equal(reader.calls, 1)
})

/** What of a text is shown before it ends, and what when it does. */
function shown(family: Family, text: string): unknown[][] {
  const reader = readerOf(dialectOf(family))
  return [joined([...text].flatMap(letter => reader.push(letter))), joined(reader.flush())]
}

t.test('prose that begins as calls do is shown as it comes', async t => {
  const prose = ['[Note', '[1', '[add] i', '[add b', '[add(it is', '[add(1', '[add(x=1) i', '[now(), b']
  for (const text of prose) t.same(shown('pythonic', text), [[text], []], text)
  for (const text of ['[', '[a', '[add(it', '[now(), a']) t.same(shown('pythonic', text), [[], [text]], text)
  for (const text of ['<|python_tag|>print']) t.same(shown('llama-json', text), [[text], []], text)
  for (const text of ['[TOOL_CALLS]see this', '[TOOL_CALLS]?']) t.same(shown('mistral', text), [[text], []], text)
})

const OPENS: Record<Family, string> = {
  hermes: '<tool_call>',
  'llama-json': '{"name": ',
  'mistral-list': '[TOOL_CALLS] [',
  mistral: '[TOOL_CALLS]add[ARGS]{',
  pythonic: '[add(x=',
  xml: '<function=add>\n<parameter',
  gemma: '<|tool_call>',
  channels: '<|channel|>commentary to=functions.add'
}

// each of these took minutes when what is held was looked through again for every token
t.test('a long answer of many tokens is read in passing', async t => {
  const count = 200_000
  for (const family of Object.keys(cases) as Family[]) {
    const open = OPENS[family]
    const begun = ['', 'a', open, `${open}(`, `${open}"`].flatMap(begin =>
      [' ', 'x', '\\'].map(letter => [begin, letter])
    )
    for (const [begin = '', letter = ''] of begun) {
      const reader = readerOf(dialectOf(family))
      const pieces = reader.push(begin)
      for (let at = 0; at < count; at++) pieces.push(...reader.push(letter))
      pieces.push(...reader.flush())
      t.equal(
        joined(pieces).join(''),
        begin + letter.repeat(count),
        `${family}: ${begin}, and ${JSON.stringify(letter)}`
      )
    }
  }
})

t.test('a malformed call is read in passing', async t => {
  const blank = ' '.repeat(200_000)
  const xml = `<tool_call><function=add><parameter=${blank}x</function></tool_call>`
  t.same(read(readerOf(dialectOf('xml')), [xml]), [xml])
  const head = `[TOOL_CALLS]${blank}add[ARGS]${blank}x`
  t.same(read(readerOf(dialectOf('mistral')), [head]), [head])
})
