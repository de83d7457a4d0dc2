import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { type ChatMessage, ChatTemplate, normaliseTurns, PLAIN_TEMPLATE, templateShortcomings } from '../src/index.ts'

const tokens = { bos: '<s>', eos: '</s>', unk: '', pad: '' }

const TURN = "<{{ m['role'] }}>{{ m['content'] }}"
const ANSWER = '{% if add_generation_prompt %}<assistant>{% endif %}'
const PLAIN_LOOP = `{% for m in messages %}${TURN}{% endfor %}${ANSWER}`

/** As Gemma's: no system turns, and user and assistant by turns. */
const ALTERNATING = `{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}${TURN}{% endfor %}${ANSWER}`
/** As those of Qwen 3 and 3.5: one system turn, before all others, and somebody has to ask. */
const SYSTEM_FIRST = `{%- if 'user' not in (messages | map(attribute='role') | join(' ')) %}{{- raise_exception('No user query found in messages.') }}{%- endif %}{% for m in messages %}{%- if m.role == 'system' and not loop.first %}{{- raise_exception('System message must be at the beginning.') }}{%- endif %}${TURN}{% endfor %}${ANSWER}`
/** Loses every system turn but the first, without a word. */
const SYSTEM_LOST = `{% for m in messages %}{% if m.role != 'system' or loop.first %}${TURN}{% endif %}{% endfor %}${ANSWER}`
/** As those of models that see: contents are lists of parts. */
const PARTS = `{% for m in messages %}<{{ m['role'] }}>{% for c in m['content'] %}{% if c['type'] == 'text' %}{{ c['text'] }}{% endif %}{% endfor %}{% endfor %}${ANSWER}`
/** System turns are texts, all others lists of parts. */
const MIXED_PARTS = `{% for m in messages %}<{{ m['role'] }}>{% if m.role == 'system' %}{{ m.content }}{% else %}{% for c in m['content'] %}{{ c['text'] }}{% endfor %}{% endif %}{% endfor %}${ANSWER}`
/** Says that it writes tools, and fails over every call. */
const BROKEN_TOOLS = `{% if tools %}{{ tools | tojson }}{% endif %}{% for m in messages %}{% if m.tool_calls %}<tool_call>{{ m.tool_calls.nope.nope }}{% endif %}${TURN}{% endfor %}${ANSWER}`
const NO_PREFILL = `{% if messages[-1].role == 'assistant' %}{{ raise_exception('The last turn is the assistant’s') }}{% endif %}${PLAIN_LOOP}`

const conversation: ChatMessage[] = [
  { role: 'system', content: 'Be brief.' },
  { role: 'developer', content: 'Be kind.' },
  { role: 'user', content: 'One.' },
  { role: 'user', content: 'Two.' },
  { role: 'assistant', content: 'Three.' },
  { role: 'assistant', content: 'Four.' },
  { role: 'system', content: 'Now shout.' },
  { role: 'user', content: 'Five.' }
]

function written(source: string, turns: readonly ChatMessage[]): string {
  const template = new ChatTemplate(source, tokens)
  return template.render(normaliseTurns(turns, template.capabilities))
}

t.test('what templates can write is found out by trying', t => {
  const all = {
    conversations: true,
    system: 'anywhere',
    systemAlone: true,
    alternates: false,
    assistantFirst: true,
    assistantLast: true,
    tools: false,
    writtenCall: undefined,
    thinkingSwitch: undefined,
    efforts: new Set<string>(),
    parts: new Set<string>()
  }
  const cases: Record<string, readonly [string, object]> = {
    plain: [PLAIN_TEMPLATE, {}],
    alternating: [ALTERNATING, { system: 'none', systemAlone: false, alternates: true, assistantFirst: false }],
    'system first': [SYSTEM_FIRST, { system: 'first', systemAlone: false }],
    'system lost': [SYSTEM_LOST, { system: 'first' }],
    parts: [PARTS, { parts: new Set(['user', 'assistant', 'system']) }],
    'mixed parts': [MIXED_PARTS, { parts: new Set(['user', 'assistant']) }],
    'broken tools': [BROKEN_TOOLS, {}],
    'no prefill': [NO_PREFILL, { assistantLast: false }],
    'a switch': [`${PLAIN_LOOP}{% if enable_thinking %}<think>{% endif %}`, { thinkingSwitch: 'enable_thinking' }],
    'a switch of another name': [`${PLAIN_LOOP}{{ thinking }}`, { thinkingSwitch: 'thinking' }],
    'a word that is no switch': [`${PLAIN_LOOP}{# thinking, reasoning_effort #}`, {}],
    'efforts that it writes': [`{{ reasoning_effort }}${PLAIN_LOOP}`, { efforts: new Set(['low', 'medium', 'high']) }],
    'efforts that it knows': [
      `{% if reasoning_effort == 'high' %}Think!{% endif %}${PLAIN_LOOP}`,
      { efforts: new Set(['medium', 'high']) }
    ],
    'efforts that it insists on': [
      `{% if reasoning_effort is defined and reasoning_effort not in ['none', 'high'] %}{{ raise_exception('none or high') }}{% endif %}${PLAIN_LOOP}{{ reasoning_effort }}`,
      { efforts: new Set(['none', 'high']) }
    ]
  }
  for (const [name, [source, expected]] of Object.entries(cases)) {
    t.same(new ChatTemplate(source, tokens).capabilities, { ...all, ...expected }, name)
  }
  t.end()
})

t.test('a conversation is put into turns that the template writes, and nothing of it is lost', t => {
  const four = '<user>One.<user>Two.<assistant>Three.<assistant>Four.'
  t.equal(
    written(PLAIN_LOOP, conversation),
    `<system>Be brief.<system>Be kind.${four}<system>Now shout.<user>Five.<assistant>`
  )
  t.equal(
    written(ALTERNATING, conversation),
    '<user>Be brief.\n\nBe kind.\n\nOne.\n\nTwo.<assistant>Three.\n\nFour.<user>Now shout.\n\nFive.<assistant>'
  )
  const placed = `<system>Be brief.\n\nBe kind.${four}<user>Now shout.\n\nFive.<assistant>`
  for (const source of [SYSTEM_FIRST, SYSTEM_LOST]) t.equal(written(source, conversation), placed)
  t.equal(written(PARTS, conversation), written(PLAIN_LOOP, conversation))
  t.equal(written(MIXED_PARTS, conversation), written(PLAIN_LOOP, conversation))
  t.end()
})

t.test('conversations of one side, and those that begin or end unusually, are written too', t => {
  const onlySystem = conversation.slice(0, 2)
  t.equal(written(PLAIN_LOOP, onlySystem), '<system>Be brief.<system>Be kind.<assistant>')
  t.equal(written(ALTERNATING, onlySystem), '<user>Be brief.\n\nBe kind.<assistant>')
  t.equal(written(SYSTEM_FIRST, onlySystem), '<user>Be brief.\n\nBe kind.<assistant>')
  const greeting: ChatMessage[] = [
    { role: 'assistant', content: 'Hello.' },
    { role: 'system', content: 'Be brief.' }
  ]
  t.equal(written(ALTERNATING, greeting), '<user><assistant>Hello.<user>Be brief.<assistant>')
  t.equal(written(PLAIN_LOOP, greeting), '<assistant>Hello.<system>Be brief.<assistant>')
  const systemThenGreeting = [...onlySystem, ...greeting]
  t.equal(
    written(ALTERNATING, systemThenGreeting),
    '<user>Be brief.\n\nBe kind.<assistant>Hello.<user>Be brief.<assistant>'
  )
  t.end()
})

t.test('whatever the order of its turns, a conversation in which somebody asks is written whole', t => {
  const role = fc.constantFrom('system', 'developer', 'user', 'assistant' as const)
  const roles = fc.array(role, { minLength: 1, maxLength: 9 }).filter(all => all.some(one => one !== 'assistant'))
  for (const source of [PLAIN_LOOP, ALTERNATING, SYSTEM_FIRST, SYSTEM_LOST, PARTS, MIXED_PARTS]) {
    const template = new ChatTemplate(source, tokens)
    assertProperty(
      fc.property(roles, all => {
        const turns = all.map((one, index): ChatMessage => ({ role: one, content: `(${index})` }))
        const text = template.render(normaliseTurns(turns, template.capabilities))
        return [...text.matchAll(/\(\d\)/g)].join() === turns.map(({ content }) => content).join()
      }),
      { numRuns: 200 }
    )
  }
  t.end()
})

t.test('turns that are fine stay as they are, calls and answers of tools with them', t => {
  const { capabilities } = new ChatTemplate(PLAIN_LOOP, tokens)
  t.same(normaliseTurns(conversation, capabilities), conversation)
  const calls: ChatMessage[] = [
    { role: 'user', content: '1+1?' },
    { role: 'assistant', content: '', toolCalls: [{ id: 'a', name: 'add', arguments: {} }] },
    { role: 'assistant', content: 'And', toolCalls: [{ id: 'b', name: 'add', arguments: {} }] },
    { role: 'tool', content: '2', toolCallId: 'a' },
    { role: 'tool', content: '3', toolCallId: 'b' }
  ]
  const merged = normaliseTurns(calls, { ...capabilities, alternates: true })
  t.same(
    merged.map(({ role }) => role),
    ['user', 'assistant', 'tool', 'tool']
  )
  t.match(merged[1], { content: 'And', toolCalls: [{ id: 'a' }, { id: 'b' }] })
  t.end()
})

t.test('what no form helps with is said', t => {
  const said = (source: string): string[] => templateShortcomings(new ChatTemplate(source, tokens).capabilities)
  for (const source of [PLAIN_TEMPLATE, ALTERNATING, SYSTEM_FIRST, PARTS]) t.same(said(source), [], source)
  t.match(said(NO_PREFILL), [/end with a turn of the assistant/])
  for (const source of ['', "{{ raise_exception('no') }}", '{{ nope() }}']) t.match(said(source), [/no turn of a user/])
  const slow = '{% for a in range(9000) %}{{ a }}{% endfor %}'
  t.same(said(slow), [], 'what takes long is not said to be wrong')
  t.throws(() => written(NO_PREFILL, conversation.slice(0, 5)), {
    code: 'invalid_request',
    message: /The last turn is the assistant/
  })
  t.end()
})
