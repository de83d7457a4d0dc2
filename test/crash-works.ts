/** A request of the crash test, and how a client sends it. */
export interface Work {
  readonly name: string
  readonly path: string
  readonly body: Readonly<Record<string, unknown>>
  /**
   * - `async`      the client comes back for the answer
   * - `stream`     it reads the answer as it comes, and goes on where it broke off
   * - `background` OpenAI's own way to come back for a response
   * - `file`       the requests are lines of a file, and so are their answers
   */
  readonly way: 'async' | 'stream' | 'background' | 'file'
}

export const MODELS = { chat: 'tiny-chat', twin: 'twin', encoder: 'tiny-encoder' }

const CHAT = '/v1/chat/completions'
const questions = ['What is the capital of France?', 'What is the capital of Italy?', 'Who are you?', 'Hello!']

/** Long enough to be killed in the midst of, and the same each time: greedy or seeded. */
const common = { model: MODELS.chat, max_tokens: 24, ignore_eos: true, temperature: 0 }

function ask(name: string, path: string, body: object, way: Work['way'] = 'async'): Work {
  return { name, path, body: { ...common, ...body }, way }
}

function worksAbout(question: string): Work[] {
  const messages = [{ role: 'user', content: question }]
  const chat = (name: string, body: object, way?: Work['way']): Work => ask(name, CHAT, { messages, ...body }, way)
  const answers = { model: MODELS.chat, max_output_tokens: 24, temperature: 0, input: question }
  const capital = { type: 'object', properties: { capital: { type: 'string', maxLength: 12 } }, required: ['capital'] }
  const tool = { type: 'function', function: { name: 'look_up', parameters: capital } }
  const twins = [MODELS.chat, MODELS.twin]
  const line = (id: string, content: string) => ({
    custom_id: id,
    method: 'POST',
    url: CHAT,
    body: { ...common, messages: [{ role: 'user', content }] }
  })
  return [
    chat('chat', {}),
    chat('chat, streamed and followed', { stream: true }, 'stream'),
    chat('chat, streamed and come back for', { temperature: 1, seed: 7, stream: true }),
    chat('two choices', { temperature: 1.5, seed: 8, n: 2, stream: true }),
    chat('JSON', {
      ignore_eos: false,
      max_tokens: 48,
      response_format: { type: 'json_schema', json_schema: { name: 'answer', strict: true, schema: capital } }
    }),
    chat('a call', { ignore_eos: false, max_tokens: 64, tools: [tool], tool_choice: 'required' }),
    ask('completions', '/v1/completions', { prompt: [question, 'The capital'], echo: true }),
    ask('a completion, streamed and followed', '/v1/completions', { prompt: question, stream: true }, 'stream'),
    { name: 'response', path: '/v1/responses', body: answers, way: 'async' },
    { name: 'response in the background', path: '/v1/responses', body: answers, way: 'background' },
    { name: 'embeddings', path: '/v1/embeddings', body: { model: MODELS.encoder, input: questions }, way: 'async' },
    {
      name: 'many in one call',
      path: '/v1/batch',
      body: { requests: questions.map((content, at) => line(`${at}`, content)) },
      way: 'async'
    },
    {
      name: 'a batch',
      path: '/v1/batches',
      body: { requests: [...questions.map((content, at) => line(`${at}`, content)), line('wrong', '')] },
      way: 'file'
    },
    chat('all of several models', { models: twins, strategy: 'all', stream: true }),
    chat('a vote', { models: [...twins, MODELS.twin], strategy: 'vote' }),
    chat('the first that answers', { models: twins, strategy: 'fallback' }, 'stream')
  ]
}

/** Every kind of request whose answer can be compared, about one thing after the other. */
export const works: readonly Work[] = questions.flatMap(worksAbout)

/** Kinds of requests: so many of {@link works} are one of each. */
export const KINDS = works.length / questions.length

/** What a client reads of an answer's choices, one after the other. */
export function textsOf(answer: Readonly<Record<string, unknown>>): string[] {
  const { choices, output } = answer as {
    choices?: { message?: { content: string | null }; text?: string }[]
    output?: { content?: { text: string }[] }[]
  }
  if (choices !== undefined) return choices.map(({ message, text }) => message?.content ?? text ?? '')
  return output === undefined ? [] : [output.flatMap(item => item.content?.map(({ text }) => text) ?? []).join('')]
}

/** Who gave an answer, under which name, when, how fast, from how much that was kept and by how many ways: all else must not differ. */
const PASSING =
  /^(?:id|call_id|request_id|placementId|route|created|\w+_at|ms|ttftMs|tokensPerSecond|cached_tokens|reroutes|resumedTokens)$/

/** An answer without what may differ. */
export function lasting(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(lasting)
  if (value === null || typeof value !== 'object') return value
  const kept = Object.entries(value).filter(([name]) => !PASSING.test(name))
  return Object.fromEntries(kept.map(([name, inner]) => [name, lasting(inner)]))
}
