import t from 'tap'
import { type ChatMessage, ChatTemplate } from '../src/index.ts'
import { findNamedTemplate, templateNames } from '../src/templates/named-templates.ts'
import { readTokenizerConfig } from '../src/tokenizer-config.ts'

const tokens = { bos: '<s>', eos: '</s>', unk: '', pad: '' }

const chat: ChatMessage[] = [
  { role: 'system', content: 'You are a helpful assistant' },
  { role: 'user', content: 'Hello' },
  { role: 'assistant', content: 'Hi there' },
  { role: 'user', content: 'Who are you' },
  { role: 'assistant', content: '   I am an assistant   ' },
  { role: 'user', content: 'Another question' }
]

/** As llama.cpp's own tests have them for this conversation. */
const written: Readonly<Record<string, string>> = {
  chatml:
    '<|im_start|>system\nYou are a helpful assistant<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\nHi there<|im_end|>\n<|im_start|>user\nWho are you<|im_end|>\n<|im_start|>assistant\n   I am an assistant   <|im_end|>\n<|im_start|>user\nAnother question<|im_end|>\n<|im_start|>assistant\n',
  'llama2-sys':
    '[INST] <<SYS>>\nYou are a helpful assistant\n<</SYS>>\n\nHello [/INST]Hi there</s>[INST] Who are you [/INST]   I am an assistant   </s>[INST] Another question [/INST]',
  'llama2-sys-bos':
    '[INST] <<SYS>>\nYou are a helpful assistant\n<</SYS>>\n\nHello [/INST]Hi there</s><s>[INST] Who are you [/INST]   I am an assistant   </s><s>[INST] Another question [/INST]',
  'llama2-sys-strip':
    '[INST] <<SYS>>\nYou are a helpful assistant\n<</SYS>>\n\nHello [/INST]Hi there</s>[INST] Who are you [/INST]I am an assistant</s>[INST] Another question [/INST]',
  llama3:
    '<|start_header_id|>system<|end_header_id|>\n\nYou are a helpful assistant<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nHi there<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nWho are you<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nI am an assistant<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nAnother question<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n',
  'mistral-v1':
    ' [INST] You are a helpful assistant\n\nHello [/INST] Hi there</s> [INST] Who are you [/INST]    I am an assistant   </s> [INST] Another question [/INST]',
  'mistral-v3':
    '[INST] You are a helpful assistant\n\nHello[/INST] Hi there</s>[INST] Who are you[/INST] I am an assistant</s>[INST] Another question[/INST]',
  'mistral-v3-tekken':
    '[INST]You are a helpful assistant\n\nHello[/INST]Hi there</s>[INST]Who are you[/INST]   I am an assistant   </s>[INST]Another question[/INST]',
  'mistral-v7':
    '[SYSTEM_PROMPT] You are a helpful assistant[/SYSTEM_PROMPT][INST] Hello[/INST] Hi there</s>[INST] Who are you[/INST]    I am an assistant   </s>[INST] Another question[/INST]',
  phi3: '<|system|>\nYou are a helpful assistant<|end|>\n<|user|>\nHello<|end|>\n<|assistant|>\nHi there<|end|>\n<|user|>\nWho are you<|end|>\n<|assistant|>\n   I am an assistant   <|end|>\n<|user|>\nAnother question<|end|>\n<|assistant|>\n',
  zephyr:
    '<|system|>\nYou are a helpful assistant</s>\n<|user|>\nHello</s>\n<|assistant|>\nHi there</s>\n<|user|>\nWho are you</s>\n<|assistant|>\n   I am an assistant   </s>\n<|user|>\nAnother question</s>\n<|assistant|>\n',
  monarch:
    'system\nYou are a helpful assistant</s>\n<s>user\nHello</s>\n<s>assistant\nHi there</s>\n<s>user\nWho are you</s>\n<s>assistant\n   I am an assistant   </s>\n<s>user\nAnother question</s>\n<s>assistant\n',
  gemma:
    '<start_of_turn>user\nYou are a helpful assistant\n\nHello<end_of_turn>\n<start_of_turn>model\nHi there<end_of_turn>\n<start_of_turn>user\nWho are you<end_of_turn>\n<start_of_turn>model\nI am an assistant<end_of_turn>\n<start_of_turn>user\nAnother question<end_of_turn>\n<start_of_turn>model\n',
  orion:
    'Human: You are a helpful assistant\n\nHello\n\nAssistant: </s>Hi there</s>Human: Who are you\n\nAssistant: </s>   I am an assistant   </s>Human: Another question\n\nAssistant: </s>',
  openchat:
    'You are a helpful assistant<|end_of_turn|>GPT4 Correct User: Hello<|end_of_turn|>GPT4 Correct Assistant: Hi there<|end_of_turn|>GPT4 Correct User: Who are you<|end_of_turn|>GPT4 Correct Assistant:    I am an assistant   <|end_of_turn|>GPT4 Correct User: Another question<|end_of_turn|>GPT4 Correct Assistant:',
  vicuna:
    'You are a helpful assistant\n\nUSER: Hello\nASSISTANT: Hi there</s>\nUSER: Who are you\nASSISTANT:    I am an assistant   </s>\nUSER: Another question\nASSISTANT:',
  'vicuna-orca':
    'SYSTEM: You are a helpful assistant\nUSER: Hello\nASSISTANT: Hi there</s>\nUSER: Who are you\nASSISTANT:    I am an assistant   </s>\nUSER: Another question\nASSISTANT:',
  deepseek:
    'You are a helpful assistant### Instruction:\nHello\n### Response:\nHi there\n<|EOT|>\n### Instruction:\nWho are you\n### Response:\n   I am an assistant   \n<|EOT|>\n### Instruction:\nAnother question\n### Response:\n',
  deepseek2:
    'You are a helpful assistant\n\nUser: Hello\n\nAssistant: Hi there<｜end▁of▁sentence｜>User: Who are you\n\nAssistant:    I am an assistant   <｜end▁of▁sentence｜>User: Another question\n\nAssistant:',
  deepseek3:
    'You are a helpful assistant\n\n<｜User｜>Hello<｜Assistant｜>Hi there<｜end▁of▁sentence｜><｜User｜>Who are you<｜Assistant｜>   I am an assistant   <｜end▁of▁sentence｜><｜User｜>Another question<｜Assistant｜>',
  'command-r':
    '<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>You are a helpful assistant<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|USER_TOKEN|>Hello<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>Hi there<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|USER_TOKEN|>Who are you<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>I am an assistant<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|USER_TOKEN|>Another question<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>',
  minicpm:
    'You are a helpful assistant<用户>Hello<AI>Hi there<用户>Who are you<AI>I am an assistant<用户>Another question<AI>'
}

t.test('templates that have a name write turns as llama.cpp does', async t => {
  for (const [name, expected] of Object.entries(written)) {
    const { source } = findNamedTemplate(name) ?? { source: 'unknown' }
    t.equal(new ChatTemplate(source, tokens).render(chat), expected, name)
  }
})

t.test('every name that is told is known, and its template writes all that is said', async t => {
  for (const name of templateNames) {
    const { source } = findNamedTemplate(name) ?? { source: 'unknown' }
    const prompt = new ChatTemplate(source, tokens).render(chat)
    for (const { content } of chat) t.ok(prompt.includes(content.trim()), `${name}: ${content}`)
  }
  t.equal(findNamedTemplate('Llama-3.1')?.source, findNamedTemplate('llama3')?.source)
  t.equal(findNamedTemplate('MISTRAL')?.source, findNamedTemplate('mistral-v3')?.source)
  t.equal(findNamedTemplate('qwen2.5')?.source, findNamedTemplate('chatml')?.source)
  for (const name of ['toString', 'constructor', 'nope']) t.equal(findNamedTemplate(name), undefined, name)
})

const templateOf = (config: object): string =>
  readTokenizerConfig(new TextEncoder().encode(JSON.stringify({ bos_token: '<s>', ...config }))).template

t.test('a configuration that says a name, nothing, or several templates', async t => {
  const plain = templateOf({})
  for (const nothing of ['', ' \n', null, [], {}, [{ name: 'default', template: '' }]]) {
    t.equal(templateOf({ chat_template: nothing }), plain, JSON.stringify(nothing))
  }
  t.match(templateOf({ chat_template: 'chatml' }), /^\{% for message/)
  t.match(templateOf({ chat_template: 'chatml', add_bos_token: true }), /^\{\{ bos_token \}\}/)
  t.match(templateOf({ chat_template: ' llama3\n' }), /^\{\{ bos_token \}\}/)
  t.notMatch(templateOf({ chat_template: 'llama3', add_bos_token: false }), /bos_token/)
  t.throws(() => templateOf({ chat_template: 'nope' }), {
    code: 'model_invalid',
    message: /the name "nope", and no template of that name/,
    hint: /chatml, llama2/
  })
  const named = (...names: string[]): object => ({
    chat_template: names.map(name => ({ name, template: `{{ '${name}' }}` }))
  })
  t.equal(templateOf(named('tool_use', 'default')), "{{ 'default' }}")
  t.equal(templateOf(named('rag', 'chat', 'tool_use')), "{{ 'chat' }}")
  t.equal(templateOf(named('tool_use')), "{{ 'tool_use' }}")
  t.equal(templateOf({ chat_template: { tool_use: '{{ 1 }}', default: '{{ 2 }}' } }), '{{ 2 }}')
})
