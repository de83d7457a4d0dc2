import t from 'tap'
import { type ChatMessage, ChatTemplate, PLAIN_TEMPLATE, RENDERED_CHARS_MAX, TEMPLATE_CHARS_MAX } from '../src/index.ts'

const tokens = { bos: '<s>', eos: '</s>', unk: '', pad: '' }
const chat: ChatMessage[] = [
  { role: 'developer', content: 'Be brief.' },
  { role: 'user', content: ' Hi {{ bos_token }} ' },
  { role: 'assistant', content: 'Hello.' },
  { role: 'tool', content: '{"a": 1}' }
]
// 2024-07-26, noon
const clock = { now: () => 1_721_995_200_000 }

t.test('templates see roles, contents, tokens and the generation prompt as transformers gives them', t => {
  const cases: [string, string][] = [
    [PLAIN_TEMPLATE, '<s>System: Be brief.\nUser:  Hi {{ bos_token }} \nAssistant: Hello.\nTool: {"a": 1}\nAssistant:'],
    ["{{ messages | map(attribute='role') | join(',') }}", 'system,user,assistant,tool'],
    ['{{ messages[1].content | trim }}|{{ messages[-1]["content"] }}', 'Hi {{ bos_token }}|{"a": 1}'],
    ['{{ bos_token }}{{ eos_token }}{{ pad_token }}', '<s></s>'],
    ['{% if tools is not none %}tools{% endif %}{% if documents %}documents{% endif %}none', 'none'],
    ['{%- for i in range(1, 6, 2) %}{{ i }}{%- endfor %}{{ range(2) | length }}', '1352'],
    [
      '{{ strftime_now("%d %b %Y") }} {{ strftime_now("%A %B %H:%M:%S %y-%m %I%p %a %% %Q") }}',
      '26 Jul 2024 Friday July 12:00:00 24-07 12PM Fri % %Q'
    ],
    ['  {% if true %}\nx\n  {% endif %}\ny', 'x\ny']
  ]
  for (const [source, expected] of cases)
    t.equal(new ChatTemplate(source, tokens, clock).render(chat), expected, source)
  const plain = new ChatTemplate(PLAIN_TEMPLATE, tokens)
  t.equal(plain.render([{ role: 'user', content: 'x' }], { addGenerationPrompt: false }), '<s>User: x\n')
  t.end()
})

t.test('variables of a request reach the template, and none that every template has', t => {
  const template = new ChatTemplate('{{ enable_thinking }}|{{ other.a[1] }}|{{ bos_token }}', tokens)
  t.equal(template.render(chat, { variables: { enable_thinking: false, other: { a: [1, 2] } } }), 'false|2|<s>')
  for (const name of ['messages', 'bos_token', 'tools', 'range', 'raise_exception', 'namespace', 'True']) {
    const refused = { code: 'invalid_request', details: { param: 'chat_template_kwargs' }, message: RegExp(name) }
    t.throws(() => template.render(chat, { variables: { [name]: 'x' } }), refused, name)
  }
  t.end()
})

t.test('a prompt may end within its last message', t => {
  const plain = new ChatTemplate(PLAIN_TEMPLATE, tokens)
  const turns: ChatMessage[] = [
    { role: 'user', content: 'Once' },
    { role: 'assistant', content: 'Once upon ' }
  ]
  t.equal(plain.render(turns, { continueFinalMessage: true }), '<s>User: Once\nAssistant: Once upon')
  const shouting = new ChatTemplate('{% for message in messages %}{{ message.content | upper }}{% endfor %}', tokens)
  const refused = { code: 'invalid_request', details: { param: 'continue_final_message' } }
  t.throws(() => shouting.render(turns, { continueFinalMessage: true }), refused)
  t.throws(() => plain.render([{ role: 'assistant', content: ' ' }], { continueFinalMessage: true }), refused)
  t.end()
})

/** How the templates of the Hermes and Qwen models write tools, shortened. */
const TOOL_TEMPLATE = `{%- if tools %}<tools>{% for tool in tools %}{{ tool | tojson }}{% endfor %}</tools>
{% endif %}{%- for message in messages %}
{%- if message.role == "tool" %}<tool_response>{{ message.content }}</tool_response>
{% elif message.tool_calls %}{{ message.content }}{% for tool_call in message.tool_calls %}{% set tool_call = tool_call.function %}<tool_call>
{"name": "{{ tool_call.name }}", "arguments": {{ tool_call.arguments | tojson }}}
</tool_call>
{% endfor %}{% else %}{{ message.role }}: {{ message.content }}
{% endif %}{%- endfor %}`

t.test('templates that know tools are given them, and calls with their arguments as values', t => {
  const template = new ChatTemplate(TOOL_TEMPLATE, tokens)
  t.ok(template.writesTools)
  t.notOk(new ChatTemplate(PLAIN_TEMPLATE, tokens).writesTools)
  t.notOk(new ChatTemplate('{{ tools }}', tokens).writesTools, 'its calls are lost')
  const turns: ChatMessage[] = [
    { role: 'user', content: '1+1?' },
    { role: 'assistant', content: '', toolCalls: [{ id: 'a', name: 'add', arguments: { x: [1, 1] } }] },
    { role: 'tool', content: '2', toolCallId: 'a', name: 'add' }
  ]
  const call = '<tool_call>\n{"name": "add", "arguments": {"x": [1, 1]}}\n</tool_call>\n'
  const rest = `user: 1+1?\n${call}<tool_response>2</tool_response>\n`
  t.equal(template.render(turns), rest)
  t.equal(template.render(turns, { tools: [{ type: 'function' }] }), `<tools>{"type": "function"}</tools>\n${rest}`)
  t.equal(template.render(turns, { tools: [] }), rest)
  t.end()
})

t.test('what a template refuses, or gets wrong over these messages, is said of the messages', t => {
  const refusing = new ChatTemplate("{{ raise_exception('Only user and assistant roles') }}", tokens)
  t.throws(() => refusing.render(chat), { code: 'invalid_request', message: /Only user and assistant roles/ })
  for (const source of [
    '{{ messages | nope }}',
    '{{ nope() }}',
    '{{ 1 + [] }}',
    '{{ range(1000000) }}',
    '{{ range(1, 5, 0) }}'
  ]) {
    t.throws(
      () => new ChatTemplate(source, tokens).render(chat),
      { code: 'invalid_request', details: { param: 'messages' } },
      source
    )
  }
  for (const source of ['{% for %}', '{{', '{% endif %}', 'x'.repeat(TEMPLATE_CHARS_MAX + 1)]) {
    t.throws(() => new ChatTemplate(source, tokens), { code: 'model_invalid' }, source.slice(0, 20))
  }
  t.end()
})

t.test('what one expression makes is bounded before it is made', t => {
  const doubled = (start: string, next: string, times: number): string =>
    `{% set ns = namespace(x=${start}) %}{% for i in range(${times}) %}{% set ns.x = ${next} %}{% endfor %}`
  const lists = (times: number): string => doubled('[1]', '[ns.x, ns.x]', times)
  const text = (times: number): string => doubled("'a '", 'ns.x ~ ns.x', times)
  const cases: Record<string, readonly [string, string]> = {
    'a list of lists of lists, written': [`${lists(60)}{{ ns.x }}`, 'invalid_request'],
    'a list of lists of lists, as JSON': [`${lists(60)}{{ ns.x | tojson }}`, 'invalid_request'],
    'a list of lists of lists, as text': [`${lists(60)}{% set y = ns.x ~ '' %}`, 'invalid_request'],
    'one big list, written again and again': [
      `${lists(17)}{% for i in range(99999) %}{% set y %}{{ ns.x }}{% endset %}{% endfor %}`,
      'invalid_request'
    ],
    'one big list, put behind a text again and again': [
      `${lists(17)}{% for i in range(99999) %}{% if ns.x ~ '' == 'a' %}{% endif %}{% endfor %}`,
      'invalid_request'
    ],
    'a list that holds itself': ['{% set ns = namespace(x=1) %}{% set ns.x = [ns, ns] %}{{ ns.x }}', 'invalid_request'],
    'a text in a million pieces': [`${text(20)}{{ ns.x.split(' ') | length }}`, 'invalid_request'],
    'the same by another name': [`${text(20)}{% set f = ns['x']['split'] %}{{ f() | length }}`, 'invalid_request'],
    'a text doubled for ever': [text(60), 'invalid_request'],
    'a text put in place of each of its letters': [
      `${text(20)}{{ ns.x.replace('a', ns.x) | length }}`,
      'invalid_request'
    ],
    'the same by a filter': [`${text(20)}{{ ns.x | replace('a', ns.x) | length }}`, 'invalid_request'],
    'a text between all numbers': [`${text(10)}{{ range(99999) | join(ns.x) | length }}`, 'invalid_request'],
    'a wide indentation': ['{{ messages | tojson(indent=400000000) }}', 'invalid_request'],
    'a wide indentation of a text': ["{{ 'a\nb' | indent(400000000) }}", 'invalid_request']
  }
  for (const [name, [source, code]] of Object.entries(cases)) {
    t.throws(() => new ChatTemplate(source, tokens).render(chat), { name: 'MeshError', code }, name)
  }
  t.end()
})

t.test('what is bounded still does what it did', t => {
  const write = (source: string): string => new ChatTemplate(source, tokens).render(chat)
  t.equal(write("{{ 'a-b-c'.split('-') | join('+') }}"), 'a+b+c')
  t.equal(write("{{ ' a  b c'.split() | tojson }}"), '["a", "b", "c"]')
  t.equal(write("{{ 'a-b-c'.split('-', 1)[-1] }}"), 'b-c')
  t.equal(write("{{ 'aXbX'.replace('X', '--') }}{{ 'aX' | replace('X', 'y') }}"), 'a--b--ay')
  t.equal(write('{{ {"a": [1]} | tojson(indent=2) }}'), '{\n  "a": [\n    1\n  ]\n}')
  t.equal(write("{{ 'a\nb' | indent(2, first=true) }}"), '  a\n  b')
  t.equal(write("{{ [1, 2] | join(', ') }}{{ [1] + [2] }}{{ 1 + 2 }}{{ [1] ~ 'x' }}"), '1, 2[1, 2]31x')
  t.equal(
    write('{% set ns = namespace(x=1) %}{{ ns }}{% set ns.x = 2 %}{{ ns.x }}'),
    '{"x": 1}2',
    'a namespace is written as it is at its place'
  )
  const turns = Array.from({ length: 3000 }, () => ({ role: 'user' as const, content: 'word' }))
  const looking = "{% for m in messages %}{% if messages[loop.index0 - 1].role == 'user' %}x{% endif %}{% endfor %}"
  t.equal(
    new ChatTemplate(looking, tokens).render(turns).length,
    3000,
    'a long conversation that looks back is written'
  )
  t.end()
})

t.test('a template cannot hold the event loop or fill the memory', t => {
  const nested =
    '{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}'
  const doubling = `{% set ns = namespace(x='ab') %}{% for a in range(99999) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}`
  const lists = `{% set r = range(99999) %}{% for a in r %}{% for b in r %}{% endfor %}{% endfor %}`
  const calls = '{% macro f(n) %}{{ f(n - 1) }}{{ f(n - 1) }}{% endmacro %}{{ f(9) }}'
  for (const source of [nested, doubling, lists, calls]) {
    const refused = { code: 'invalid_request', message: /template/, details: { param: 'messages' } }
    t.throws(() => new ChatTemplate(source, tokens).render(chat), refused, source)
  }
  const huge = new ChatTemplate('{{ messages[0].content }}', tokens)
  t.throws(() => huge.render([{ role: 'user', content: 'x'.repeat(RENDERED_CHARS_MAX + 1) }]), {
    code: 'invalid_request'
  })
  t.equal(huge.render([{ role: 'user', content: 'fine' }]), 'fine', 'and goes on to serve')
  t.end()
})

t.test('what pictures are read as stands where the template writes their token, and nowhere else', t => {
  const source =
    '{% for message in messages %}{{ message.role }}:{% for part in message.content %}' +
    "{% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}{% endfor %};{% endfor %}"
  const template = new ChatTemplate(source, { bos: '', eos: '', unk: '', pad: '' })
  const text = (said: string) => ({ type: 'text' as const, text: said })
  const image = { type: 'image' as const }
  const shown = { role: 'user' as const, content: 'ab', parts: [text('a'), image, text('b'), image] }
  const pictures = { token: '<image>', texts: ['[1]', '[2]'] }
  t.equal(template.render([shown], { pictures, addGenerationPrompt: false }), 'user:a[1]b[2];')
  t.throws(() => template.render([shown], { pictures: { ...pictures, texts: ['[1]'] } }), {
    code: 'invalid_request',
    details: { param: 'messages' }
  })
  t.end()
})
