import type { ReasoningEffort } from '@resultity/interface'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { type AnswerReasoning, effortVariables, recogniseReasoning } from '../src/index.ts'

const format = (template: string, tokens: readonly string[] = []) =>
  recogniseReasoning({ template, hasToken: name => tokens.includes(name) })

function after(template: string, promptEnd: string): AnswerReasoning {
  const reasoning = format(template)?.after(promptEnd)
  if (reasoning === undefined) throw new Error(`${template} does not reason after ${promptEnd}`)
  return reasoning
}

function read(reasoning: AnswerReasoning, texts: readonly string[]) {
  const reader = reasoning.reader()
  const pieces = [...texts.map(text => reader.push(text)), reader.flush()]
  return [pieces.map(piece => piece.reasoning).join(''), pieces.map(piece => piece.content).join('')]
}

const THINK = '{{ "<think>" }}'
const CHANNELS = '<|channel|><|message|>'
const cases: {
  id: string
  template: string
  prompt?: string
  text: string
  is: [reasoning: string, content: string]
}[] = [
  { id: 'an answer alone', template: THINK, text: ' Fine.', is: ['', ' Fine.'] },
  { id: 'reasoning, and an answer', template: THINK, text: '<think>\nHm.\n</think>\n\nFine. ', is: ['Hm.', 'Fine. '] },
  { id: 'white space first', template: THINK, text: '\n<think>Hm.</think>Fine.', is: ['Hm.', 'Fine.'] },
  { id: 'nothing thought', template: THINK, text: '<think>\n\n</think>\n\nFine.', is: ['', 'Fine.'] },
  { id: 'begun by the prompt', template: THINK, prompt: '<think>\n', text: '\nHm.</think>Fine.', is: ['Hm.', 'Fine.'] },
  { id: 'cut off', template: THINK, prompt: 'x<think>', text: 'Hm. </thi', is: ['Hm. </thi', ''] },
  { id: 'cut off in the tag', template: THINK, text: ' <thi', is: ['', ' <thi'] },
  { id: 'a tag later on is text', template: THINK, text: 'Say <think>x</think>', is: ['', 'Say <think>x</think>'] },
  {
    id: 'as tags in thoughts are',
    template: THINK,
    text: '<think>a <think> </ b</think>c',
    is: ['a <think> </ b', 'c']
  },
  { id: 'a second block is text', template: THINK, text: '<think>a</think><think>b', is: ['a', '<think>b'] },
  {
    id: 'Gemma',
    template: '<|channel> thought <channel|>',
    text: '<|channel>thought\nHm.<channel|>Hi',
    is: ['Hm.', 'Hi']
  },
  { id: 'Magistral', template: '[/THINK]', text: '[THINK]Hm.[/THINK]Hi', is: ['Hm.', 'Hi'] },
  {
    id: 'gpt-oss',
    template: CHANNELS,
    text: '<|channel|>analysis<|message|>Hm. <|end|><|start|>assistant<|channel|>final<|message|>Fine <|b',
    is: ['Hm. ', 'Fine <|b']
  },
  {
    id: 'gpt-oss, several messages',
    template: CHANNELS,
    text: '<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>commentary<|message|>b<|end|><|start|>assistant<|channel|>analysis<|message|>c<|end|><|start|>assistant<|channel|>final<|message|>d<|return|>',
    is: ['a\nc', 'b\nd']
  },
  {
    id: 'gpt-oss, a call',
    template: CHANNELS,
    text: '<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{}<|call|>',
    is: ['a', '<|channel|>commentary to=functions.f <|constrain|>json<|message|>{}<|call|>']
  },
  { id: 'gpt-oss, without form', template: CHANNELS, text: 'Just an answer.', is: ['', 'Just an answer.'] },
  { id: 'gpt-oss, cut off in a head', template: CHANNELS, text: '<|channel|>ana', is: ['', '<|channel|>ana'] },
  {
    id: 'gpt-oss, nothing behind',
    template: CHANNELS,
    text: '<|channel|>analysis<|message|>a<|end|><|start|>assistant',
    is: ['a', '']
  }
]

t.test('reasoning and answer are told apart, however the text is cut', async t => {
  for (const { id, template, prompt = '', text, is } of cases) {
    const reasoning = after(template, prompt)
    t.same(read(reasoning, [text]), is, id)
    t.same(read(reasoning, [...text]), is, `${id}: letter by letter`)
    const cuts = fc.property(fc.array(fc.nat(text.length), { maxLength: 6 }), places => {
      const at = [0, ...places.toSorted((a, b) => a - b), text.length]
      const texts = at.slice(1).map((end, index) => text.slice(at[index], end))
      return JSON.stringify(read(reasoning, texts)) === JSON.stringify(is)
    })
    assertProperty(cuts, { numRuns: 50 })
  }
})

t.test('whatever a model writes, no letter but those of tags and white space is lost', async () => {
  const bits = fc.constantFrom('<think>', '</think>', 'a', ' ', '\n', '<', '</', 'think>')
  for (const prompt of ['', '<think>']) {
    const property = fc.property(fc.array(bits), all => {
      const bare = (text: string) => text.replaceAll(/<\/?think>|\s/g, '')
      const said = read(after(THINK, prompt), all).join('')
      return bare(said).length === bare(all.join('')).length
    })
    assertProperty(property)
  }
})

t.test('a family is known by its template, or by tokens of its own', async t => {
  t.equal(format('{{ messages }}'), undefined)
  t.ok(format("{{ content.split('</think>')[-1] }}"))
  t.ok(format('{{ messages }}', ['<think>', '</think>']))
  t.equal(format('{{ messages }}', ['<think>']), undefined)
  t.equal(format(THINK)?.after('<think>\n\n</think>\n\n'), undefined, 'the prompt has ended it')
})

t.test('what may stand before an answer that must have a form', async t => {
  const until = { type: 'until', text: '</think>' }
  t.same(after(THINK, '').preludes, [[], [{ type: 'literal', text: '<think>' }, until]])
  t.same(after(THINK, '<think>\n').preludes, [[until]])
})

t.test('an effort is said in the variables that a template reads', async t => {
  const both = { thinkingSwitch: 'enable_thinking', efforts: new Set(['low', 'high']) }
  const onOff = { thinkingSwitch: 'thinking', efforts: new Set<string>() }
  const words = { thinkingSwitch: undefined, efforts: new Set(['low', 'medium', 'high']) }
  const nothing = { thinkingSwitch: undefined, efforts: new Set<string>() }
  const table: [ReasoningEffort, typeof both | typeof nothing, boolean, object, boolean][] = [
    ['high', both, true, { enable_thinking: true, reasoning_effort: 'high' }, false],
    ['medium', both, true, { enable_thinking: true, reasoning_effort: 'low' }, false],
    ['none', both, true, { enable_thinking: false }, false],
    ['none', onOff, true, { thinking: false }, false],
    ['max', onOff, true, { thinking: true }, false],
    ['minimal', words, true, { reasoning_effort: 'low' }, false],
    ['xhigh', words, true, { reasoning_effort: 'high' }, false],
    ['none', words, true, { reasoning_effort: 'low' }, true],
    ['none', nothing, false, {}, false],
    ['none', nothing, true, {}, true],
    ['low', nothing, false, {}, true]
  ]
  for (const [effort, controls, reasons, variables, ignored] of table) {
    t.same(effortVariables(effort, controls, reasons), { variables, ignored }, `${effort} ${JSON.stringify(controls)}`)
  }
})

// took minutes when what is held was looked through again for every token
t.test('white space of any length is read in passing', async t => {
  for (const begin of ['', '<think>a', '<think>a</think>b']) {
    const reader = after(THINK, '').reader()
    const read = [reader.push(begin)]
    for (let at = 0; at < 200_000; at++) read.push(reader.push('\n'))
    read.push(reader.push('x'), reader.flush())
    t.equal(
      read.map(({ reasoning, content }) => reasoning + content).join('').length,
      begin.replaceAll(/<\/?think>/g, '').length + 200_001
    )
  }
})
