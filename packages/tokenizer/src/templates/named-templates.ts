/** A chat template that publishers and llama.cpp know by a name, instead of writing it out. */
interface NamedTemplate {
  readonly source: string
  /** Whether a text begins with the begin token, where the tokenizer does not say. */
  readonly begins: boolean
}

const ROLE = `{{ message['role'] }}`
const CONTENT = `{{ message['content'] }}`
const TRIMMED = `{{ message['content'] | trim }}`

/** One form for every turn, and the head of the answer. */
function everyTurn(turn: string, answer: string): string {
  return `{% for message in messages %}${turn}{% endfor %}{% if add_generation_prompt %}${answer}{% endif %}`
}

/** Forms for the turns of system and assistant, and one for the user's and all others. */
function byRole(forms: { readonly system: string; readonly user: string; readonly assistant: string }, answer: string) {
  const turn =
    `{% if message['role'] == 'system' %}${forms.system}{% elif message['role'] == 'assistant' %}${forms.assistant}` +
    `{% else %}${forms.user}{% endif %}`
  return everyTurn(turn, answer)
}

/** What the system says stands before the user's next turn; `{{ said }}` is that, with `behind` after it. */
function systemWithUser(behind: string, user: string, assistant: string, answer: string): string {
  return (
    `{% set ns = namespace(system='') %}{% for message in messages %}` +
    `{% if message['role'] == 'system' %}{% set ns.system = message['content'] | trim %}` +
    `{% elif message['role'] == 'assistant' %}${assistant}` +
    `{% else %}{% set said = '' %}{% if ns.system %}{% set said = ns.system + '${behind}' %}{% endif %}${user}` +
    `{% set ns.system = '' %}{% endif %}{% endfor %}{% if add_generation_prompt %}${answer}{% endif %}`
  )
}

/** Llama 2 and the older Mistral: instructions in brackets, of which the system's are a part. */
function instructions(forms: {
  readonly open: string
  readonly system: string
  readonly user: string
  readonly assistant: string
}): string {
  return (
    `{% set ns = namespace(open=false) %}{% for message in messages %}` +
    `{% if not ns.open and message['role'] != 'assistant' %}${forms.open}{% set ns.open = true %}{% endif %}` +
    `{% if message['role'] == 'system' %}${forms.system}{% elif message['role'] == 'assistant' %}${forms.assistant}` +
    `{% set ns.open = false %}{% else %}${forms.user}{% endif %}{% endfor %}`
  )
}

const llama2 = (content: string, begin = ''): string =>
  instructions({
    open: `{% if not loop.first %}${begin}{% endif %}[INST] `,
    // an expression, as white space behind a block goes
    system: `<<SYS>>{{ '\\n' }}${content}{{ '\\n<</SYS>>\\n\\n' }}`,
    user: `${content} [/INST]`,
    assistant: `${content}{{ eos_token }}`
  })

const mistral = (leading: string, trailing: string, answer: string): string =>
  instructions({
    open: `${leading}[INST]${trailing}`,
    system: `${CONTENT}{{ '\\n\\n' }}`,
    user: `${CONTENT}${leading}[/INST]`,
    assistant: `${trailing}${answer}{{ eos_token }}`
  })

const mistral7 = (space: string): string =>
  byRole(
    {
      system: `[SYSTEM_PROMPT]${space}${CONTENT}[/SYSTEM_PROMPT]`,
      user: `[INST]${space}${CONTENT}[/INST]`,
      assistant: `${space}${CONTENT}{{ eos_token }}`
    },
    ''
  )

const headed = (open: string, close: string, end: string, gap = ''): string =>
  everyTurn(`${open}${ROLE}${close}${gap}${gap === '' ? CONTENT : TRIMMED}${end}`, `${open}assistant${close}${gap}`)

const vicuna = (system: string): string =>
  byRole(
    {
      system,
      user: `USER: ${CONTENT}{{ '\\n' }}`,
      assistant: `ASSISTANT: ${CONTENT}{{ eos_token }}{{ '\\n' }}`
    },
    'ASSISTANT:'
  )

const CHATML = everyTurn(`<|im_start|>${ROLE}\n${CONTENT}<|im_end|>\n`, '<|im_start|>assistant\n')
const LINE = `{{ '\\n' }}`
const GAP = `{{ '\\n\\n' }}`

const templates: Readonly<Record<string, NamedTemplate>> = {
  chatml: { source: CHATML, begins: false },
  llama2: { source: llama2(CONTENT), begins: true },
  llama2sys: { source: llama2(CONTENT), begins: true },
  llama2sysbos: { source: llama2(CONTENT, '{{ bos_token }}'), begins: true },
  llama2sysstrip: { source: llama2(TRIMMED), begins: true },
  llama3: { source: headed('<|start_header_id|>', '<|end_header_id|>', '<|eot_id|>', GAP), begins: true },
  llama4: { source: headed('<|header_start|>', '<|header_end|>', '<|eot|>', GAP), begins: true },
  mistralv1: { source: mistral(' ', ' ', CONTENT), begins: true },
  mistralv3: { source: mistral('', ' ', TRIMMED), begins: true },
  mistralv3tekken: { source: mistral('', '', CONTENT), begins: true },
  mistralv7: { source: mistral7(' '), begins: true },
  mistralv7tekken: { source: mistral7(''), begins: true },
  phi3: { source: everyTurn(`<|${ROLE}|>\n${CONTENT}<|end|>\n`, '<|assistant|>\n'), begins: false },
  phi4: {
    source: everyTurn(`<|im_start|>${ROLE}<|im_sep|>${CONTENT}<|im_end|>`, '<|im_start|>assistant<|im_sep|>'),
    begins: false
  },
  falcon3: { source: everyTurn(`<|${ROLE}|>\n${CONTENT}\n`, '<|assistant|>\n'), begins: false },
  zephyr: { source: everyTurn(`<|${ROLE}|>\n${CONTENT}{{ eos_token }}\n`, '<|assistant|>\n'), begins: false },
  monarch: {
    source: everyTurn(
      `{% if not loop.first %}{{ bos_token }}{% endif %}${ROLE}\n${CONTENT}{{ eos_token }}\n`,
      '{{ bos_token }}assistant\n'
    ),
    begins: true
  },
  gemma: {
    source: systemWithUser(
      '\\n\\n',
      `<start_of_turn>user\n{{ said }}${TRIMMED}<end_of_turn>\n`,
      `<start_of_turn>model\n${TRIMMED}<end_of_turn>\n`,
      '<start_of_turn>model\n'
    ),
    begins: true
  },
  orion: {
    source: systemWithUser(
      '\\n\\n',
      `Human: {{ said }}${CONTENT}${GAP}Assistant: {{ eos_token }}`,
      `${CONTENT}{{ eos_token }}`,
      ''
    ),
    begins: true
  },
  openchat: {
    source: byRole(
      {
        system: `${CONTENT}<|end_of_turn|>`,
        user: `GPT4 Correct User: ${CONTENT}<|end_of_turn|>`,
        assistant: `GPT4 Correct Assistant: ${CONTENT}<|end_of_turn|>`
      },
      'GPT4 Correct Assistant:'
    ),
    begins: true
  },
  vicuna: { source: vicuna(`${CONTENT}${GAP}`), begins: true },
  vicunaorca: { source: vicuna(`SYSTEM: ${CONTENT}${LINE}`), begins: true },
  deepseek: {
    source: byRole(
      {
        system: CONTENT,
        user: `### Instruction:\n${CONTENT}${LINE}`,
        assistant: `### Response:\n${CONTENT}${LINE}<|EOT|>${LINE}`
      },
      '### Response:\n'
    ),
    begins: true
  },
  deepseek2: {
    source: byRole(
      {
        system: `${CONTENT}${GAP}`,
        user: `User: ${CONTENT}${GAP}`,
        assistant: `Assistant: ${CONTENT}<｜end▁of▁sentence｜>`
      },
      'Assistant:'
    ),
    begins: true
  },
  deepseek3: {
    source: byRole(
      {
        system: `${CONTENT}${GAP}`,
        user: `<｜User｜>${CONTENT}`,
        assistant: `<｜Assistant｜>${CONTENT}<｜end▁of▁sentence｜>`
      },
      '<｜Assistant｜>'
    ),
    begins: true
  },
  commandr: {
    source: byRole(
      {
        system: `<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>${TRIMMED}<|END_OF_TURN_TOKEN|>`,
        user: `<|START_OF_TURN_TOKEN|><|USER_TOKEN|>${TRIMMED}<|END_OF_TURN_TOKEN|>`,
        assistant: `<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>${TRIMMED}<|END_OF_TURN_TOKEN|>`
      },
      '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>'
    ),
    begins: true
  },
  minicpm: {
    source: byRole({ system: TRIMMED, user: `<用户>${TRIMMED}<AI>`, assistant: TRIMMED }, ''),
    begins: true
  },
  exaone3: {
    source: byRole(
      {
        system: `[|system|]${TRIMMED}[|endofturn|]\n`,
        user: `[|user|]${TRIMMED}${LINE}`,
        assistant: `[|assistant|]${TRIMMED}[|endofturn|]\n`
      },
      '[|assistant|]'
    ),
    begins: false
  },
  granite: { source: headed('<|start_of_role|>', '<|end_of_role|>', '<|end_of_text|>\n'), begins: false },
  megrez: { source: headed('<|role_start|>', '<|role_end|>', '<|turn_end|>'), begins: false }
}

/** Further names of the same. */
const synonyms: Readonly<Record<string, string>> = {
  llama: 'llama2',
  mistral: 'mistralv3',
  mistralinstruct: 'mistralv3',
  mixtral: 'mistralv1',
  phi: 'phi3',
  qwen: 'chatml',
  qwen2: 'chatml',
  'qwen2.5': 'chatml',
  qwen25: 'chatml',
  qwen3: 'chatml',
  smollm: 'chatml',
  smollm2: 'chatml',
  yi: 'chatml',
  hermes: 'chatml',
  gemma2: 'gemma',
  gemma3: 'gemma',
  'llama3.1': 'llama3',
  'llama3.2': 'llama3',
  'llama3.3': 'llama3'
}

/** A template that is one word is the name of one. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/** Whether the text of a chat template is no template but a name. */
export function isTemplateName(text: string): boolean {
  return NAME.test(text)
}

/** The names that {@link findNamedTemplate} knows, as llama.cpp writes most of them. */
export const templateNames: readonly string[] = [
  'chatml llama2 llama2-sys llama2-sys-bos llama2-sys-strip llama3 llama4 mistral-v1 mistral-v3 mistral-v3-tekken',
  'mistral-v7 mistral-v7-tekken phi3 phi4 falcon3 zephyr monarch gemma orion openchat vicuna vicuna-orca deepseek deepseek2',
  'deepseek3 command-r minicpm exaone3 granite megrez'
].flatMap(line => line.split(' '))

/** The template of that name, in Jinja; upper case and hyphens make no difference. */
export function findNamedTemplate(name: string): NamedTemplate | undefined {
  const plain = name.toLowerCase().replaceAll(/[-_]/g, '')
  const known = Object.hasOwn(synonyms, plain) ? synonyms[plain] : plain
  return known !== undefined && Object.hasOwn(templates, known) ? templates[known] : undefined
}
