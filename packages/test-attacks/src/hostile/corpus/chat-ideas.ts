import fc from 'fast-check'
import { type Idea, post, SERVED } from './hostile-case.ts'
import { mostly, type Scale, someOf, upTo } from './scale.ts'
import { hostileObjectSchema, hostileSchema } from './schemas.ts'
import { hostileName, hostileText } from './texts.ts'
import { boundNumbers, hostileValue, oddType } from './values.ts'

export const CHAT = '/v1/chat/completions'

export type Body = Record<string, unknown>

/** An honest question, answered in some tokens. */
export function plainChat(fields: Body = {}): Body {
  return {
    model: SERVED.chat,
    messages: [{ role: 'user', content: 'What is the capital of France?' }],
    max_tokens: 12,
    temperature: 0,
    ...fields
  }
}

/** Tokens of a constrained answer: enough to walk some way into the automaton. */
const ANSWER_TOKENS = fc.constantFrom(1, 8, 40)

const jsonSchemas: Idea = {
  name: 'response_format with a hostile schema',
  weight: 8,
  drafts: scale =>
    fc.tuple(hostileSchema(scale), ANSWER_TOKENS, fc.boolean()).map(([schema, max_tokens, stream]) =>
      post(
        CHAT,
        plainChat({
          max_tokens,
          stream,
          response_format: { type: 'json_schema', json_schema: { name: 'answer', strict: true, schema } }
        })
      )
    )
}

/** Bodies of more are refused before anything is read of them. */
const TOOLS_CHARACTERS_MAX = 4_000_000

const tools: Idea = {
  name: 'tools with hostile parameters',
  weight: 6,
  drafts: scale => {
    const name = mostly(fc.constantFrom('look_up', 'send'), hostileName(scale))
    const description = mostly(fc.constant('Looks up.'), hostileText({ ...scale, characters: 400 }))
    const declared = fc.record({ name, description, parameters: hostileObjectSchema(scale) })
    const many = fc.tuple(declared, someOf(Math.min(scale.width, 129))).map(([one, count]) => {
      const length = Math.min(count, Math.floor(TOOLS_CHARACTERS_MAX / JSON.stringify(one).length))
      return Array.from({ length }, (_, index) => ({ ...one, name: `${one.name}${index}` }))
    })
    const list = mostly(fc.uniqueArray(declared, { minLength: 1, maxLength: 2, selector: one => one.name }), many)
    const choice = fc.constantFrom('auto', 'required', 'required', 'required', 'none', 'the first')
    return fc.tuple(list, choice, ANSWER_TOKENS, fc.boolean()).map(([functions, how, max_tokens, parallel]) => {
      const first = { type: 'function', function: { name: functions[0]?.name } }
      return post(
        CHAT,
        plainChat({
          max_tokens,
          tools: functions.map(one => ({ type: 'function', function: one })),
          tool_choice: how === 'the first' ? first : how,
          parallel_tool_calls: parallel
        })
      )
    })
  }
}

const texts: Idea = {
  name: 'messages of hostile text',
  weight: 5,
  drafts: scale => {
    const message = fc.record(
      {
        role: fc.constantFrom('user', 'system', 'assistant', 'developer', 'tool'),
        content: fc.oneof(
          hostileText(scale),
          fc.array(
            hostileText({ ...scale, characters: Math.ceil(scale.characters / 10) }).map(text => ({
              type: 'text',
              text
            })),
            {
              maxLength: 5
            }
          )
        ),
        name: hostileName({ ...scale, characters: 256 }),
        tool_call_id: hostileName({ ...scale, characters: 256 })
      },
      { requiredKeys: ['role', 'content'] }
    )
    const many = someOf(Math.min(scale.width * 4, 9_000)).map(length =>
      Array.from({ length }, (_, index) => ({ role: index % 2 === 0 ? 'user' : 'assistant', content: 'a' }))
    )
    return fc
      .oneof(
        { weight: 4, arbitrary: fc.array(message, { minLength: 1, maxLength: 4 }) },
        { weight: 1, arbitrary: many }
      )
      .map(messages => post(CHAT, plainChat({ messages, max_tokens: 2 })))
  }
}

const FIELDS = [
  'model',
  'messages',
  'max_tokens',
  'max_completion_tokens',
  'temperature',
  'top_p',
  'seed',
  'frequency_penalty',
  'presence_penalty',
  'repetition_penalty',
  'top_k',
  'min_p',
  'logit_bias',
  'stop',
  'stream',
  'stream_options',
  'n',
  'logprobs',
  'top_logprobs',
  'response_format',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'ignore_eos',
  'min_tokens',
  'stop_token_ids',
  'guided_regex',
  'guided_choice',
  'grammar',
  'structured_outputs',
  'functions',
  'reasoning_effort',
  'chat_template_kwargs',
  'best_of',
  'mesh',
  'models',
  'strategy',
  'vote',
  'judge',
  'metadata',
  'store',
  'user',
  '__proto__',
  'constructor'
] as const

/** Every field in turn of a type that it has not. */
export function withOddFields(body: Body, names: readonly string[], scale: Scale): fc.Arbitrary<Body> {
  return fc
    .array(fc.tuple(fc.constantFrom(...names), hostileValue(scale)), { minLength: 1, maxLength: 3 })
    .map(fields => ({ ...body, ...Object.fromEntries(fields) }))
}

const oddFields: Idea = {
  name: 'chat fields of odd types',
  weight: 5,
  drafts: scale => withOddFields(plainChat({ max_tokens: 2 }), FIELDS, scale).map(body => post(CHAT, body))
}

const messageFields = ['role', 'content', 'name', 'tool_calls', 'tool_call_id', 'refusal', 'function_call']

const oddMessages: Idea = {
  name: 'messages of odd types',
  weight: 2,
  drafts: scale =>
    fc
      .array(
        fc.oneof(
          hostileValue({ ...scale, characters: 400 }),
          withOddFields({ role: 'user', content: 'a' }, messageFields, scale)
        ),
        { maxLength: 3 }
      )
      .map(messages => post(CHAT, plainChat({ messages, max_tokens: 2 })))
}

/** As many tokens as a bias may name; some beyond, and ids that no model has. */
const bias = fc
  .tuple(
    mostly(fc.constantFrom(1, 500, 768), fc.constantFrom(769, 1024, 1025)),
    mostly(fc.constantFrom(-100, 100, 0, 5e-324), fc.constantFrom(-101, 1e9))
  )
  .map(([count, value]) => Object.fromEntries(Array.from({ length: count }, (_, token) => [`${token}`, value])))

/** Bans every token there is: an answer that cannot be begun. */
const allBanned = fc.constant(Object.fromEntries(Array.from({ length: 768 }, (_, token) => [`${token}`, -100])))

const stops = (scale: Scale) =>
  mostly(
    fc.constantFrom('a', ['a'.repeat(511).concat('b'), 'a'.repeat(512), 'aaab', 'ab'], [' ', '.', 'é', '\u{1f600}']),
    fc.oneof(
      fc.array(hostileText({ ...scale, characters: 512 }), { maxLength: 5 }),
      hostileText({ ...scale, characters: 600 })
    )
  )

const samplingBounds: Idea = {
  name: 'sampling at its bounds',
  weight: 5,
  drafts: scale =>
    fc
      .record(
        {
          temperature: mostly(fc.constantFrom(0, 2, 1e-9, 5e-324), boundNumbers),
          top_p: mostly(fc.constantFrom(1, 1e-12, 5e-324), boundNumbers),
          top_k: mostly(fc.constantFrom(-1, 0, 1, 0x7fff_ffff), boundNumbers),
          min_p: mostly(fc.constantFrom(0, 1, 1e-30), boundNumbers),
          seed: mostly(fc.maxSafeInteger(), boundNumbers),
          frequency_penalty: mostly(fc.constantFrom(-2, 2, 0), boundNumbers),
          presence_penalty: mostly(fc.constantFrom(-2, 2), boundNumbers),
          repetition_penalty: mostly(fc.constantFrom(0.01, 100, 1), boundNumbers),
          logit_bias: fc.oneof(bias, allBanned),
          stop: stops(scale),
          n: mostly(fc.constantFrom(1, 2, 4), fc.constantFrom(128, 129)),
          logprobs: fc.constant(true),
          top_logprobs: mostly(upTo(20), boundNumbers),
          max_tokens: mostly(someOf(16), fc.constantFrom(0, 512, 2 ** 31, 2 ** 53)),
          ignore_eos: fc.boolean(),
          stream: fc.boolean()
        },
        { requiredKeys: ['logprobs'] }
      )
      .map(fields => post(CHAT, plainChat(fields)))
}

const steering: Idea = {
  name: 'steering over the mesh',
  weight: 1,
  drafts: scale =>
    fc
      .record(
        {
          // 1 to 3 make a placement of their own, which stays: few of those
          stages: fc.constantFrom(0, 3, 1024, 1025, -1, 2.5),
          subcloud: hostileName(scale),
          region: hostileName(scale),
          nodes: fc.array(hostileName(scale), { maxLength: 4 }),
          on_disconnect: fc.constantFrom('cancel', 'continue', 'explode'),
          timeout_ms: boundNumbers,
          choices: oddType
        },
        { requiredKeys: [] }
      )
      .map(mesh => post(CHAT, plainChat({ mesh, max_tokens: 2 })))
}

const ensembles: Idea = {
  name: 'ensembles',
  weight: 3,
  drafts: scale => {
    const name = mostly(fc.constant(SERVED.chat), hostileName(scale))
    const count = mostly(fc.constantFrom(1, 2, 3, 16), fc.constantFrom(0, 17))
    const instructions = mostly(fc.constant('Prefer short answers.'), hostileText(scale))
    const field = mostly(fc.constantFrom('a', 'a.b', '__proto__', '.'.repeat(256)), hostileName(scale))
    const how = fc.oneof(
      fc.record({ strategy: mostly(fc.constantFrom('all', 'fastest', 'fallback', 'vote'), fc.constant('x')) }),
      fc.record({ vote: mostly(fc.record({ field }), oddType) }),
      fc.record({
        judge: mostly(fc.record({ model: name, mode: fc.constantFrom('pick', 'merge'), instructions }), oddType)
      }),
      fc.record({
        strategy: fc.constant('fallback'),
        mesh: fc.record({ timeout_ms: mostly(fc.constantFrom(1, 50), boundNumbers) })
      })
    )
    return fc
      .tuple(
        fc.tuple(name, count).map(([one, length]) => Array<string>(length).fill(one)),
        how,
        fc.boolean()
      )
      .map(([models, fields, stream]) => {
        const { model: _, ...body } = plainChat({ models, ...fields, stream, max_tokens: 4 })
        return post(CHAT, body)
      })
  }
}

/** Of `POST /v1/chat/completions`. */
export const chatIdeas: readonly Idea[] = [
  jsonSchemas,
  tools,
  texts,
  oddFields,
  oddMessages,
  samplingBounds,
  steering,
  ensembles
]
