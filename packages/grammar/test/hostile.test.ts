import { MeshError, type OutputConstraint } from '@resultity/interface'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import {
  COMPILE_STEPS_MAX,
  checkConstraint,
  Grammar,
  type GrammarState,
  TOKEN_STEPS_MAX,
  WorkBudget
} from '../src/index.ts'
import { conditional } from './random-schemas.ts'

const utf8 = new TextEncoder()

const held = (schema: unknown): OutputConstraint => ({ type: 'json_schema', schema: JSON.stringify(schema) })

/** Large numbers, most of which share no factor. */
const FACTORS = Array.from({ length: 200 }, (_, at) => 9_007_199_254_740_000 + 2 * at + 1)

/** Objects that differ in nothing, so that every pair is compared to the bottom. */
function nested(depth: number): object {
  if (depth === 0) return { type: 'object', properties: { a: {}, b: {} }, required: ['a', 'b'] }
  const below = nested(depth - 1)
  return { type: 'object', properties: { a: below, b: below }, required: ['a', 'b'] }
}

/** The same in a few lines: each definition is named twice by the next. */
function nestedByReference(depth: number): object {
  const $defs: Record<string, object> = { d0: nested(0) }
  for (let level = 1; level <= depth; level++) {
    const below = { $ref: `#/$defs/d${level - 1}` }
    $defs[`d${level}`] = { type: 'object', properties: { a: below, b: below }, required: ['a', 'b'] }
  }
  return { oneOf: [{ $ref: `#/$defs/d${depth}` }, { ...$defs[`d${depth}`] }], $defs }
}

const list = (name: string): object => ({ type: 'object', properties: { next: { $ref: name } }, required: ['next'] })
const RECURSIVE_ONE_OF = {
  oneOf: [{ $ref: '#/$defs/a' }, { $ref: '#/$defs/b' }],
  $defs: { a: list('#/$defs/a'), b: list('#/$defs/b') }
}

/** What compiling took; undefined when the constraint was refused, as a client's mistake that names a place. */
function compiled(t: Test, id: string, constraint: OutputConstraint): number | undefined {
  const budget = new WorkBudget('schema', { steps: COMPILE_STEPS_MAX, bytes: 16 * 2 ** 20 })
  try {
    checkConstraint(constraint, undefined, budget)
    t.ok(budget.spent <= COMPILE_STEPS_MAX, `${id} compiles in ${budget.spent} steps`)
    return budget.spent
  } catch (error) {
    t.match(error, { code: 'invalid_request', details: { param: /^(schema|functions)/ } }, `${id} is refused`)
    t.ok(error instanceof MeshError && error.message.length < 2000, `${id}: the message is short`)
    return undefined
  }
}

t.test('schemas of every size that is read are refused or compiled within the budget', async t => {
  const long = 'n'.repeat(60_000)
  const deepest = 32_000
  const cases: readonly (readonly [string, unknown])[] = [
    ...[6, 8, 10, 12].map(
      depth => [`oneOf of alike objects ${depth} deep`, { oneOf: [nested(depth), nested(depth)] }] as const
    ),
    ['the same by references', nestedByReference(200)],
    ['a oneOf of lists of themselves', RECURSIVE_ONE_OF],
    ['a oneOf of itself', { oneOf: [{ $ref: '#' }, { $ref: '#' }] }],
    ['2000 alternatives', { oneOf: Array.from({ length: 2000 }, (_, value) => ({ const: value })) }],
    ['a name of 4,000 characters', { properties: { ['n'.repeat(4000)]: {} }, additionalProperties: true }],
    ['a name of 60,000 characters', { properties: { [long]: {} }, additionalProperties: true }],
    ['a required name of 60,000 characters', { required: [long] }],
    ['a constant of 60,000 characters', { const: long }],
    ['values that begin alike', { enum: Array.from({ length: 350 }, (_, length) => 'a'.repeat(length)) }],
    ['4,000 definitions in a row', { $ref: '#/$defs/d1000', $defs: chain(1000) }],
    ['definitions of each other', { $ref: '#/$defs/d1000', $defs: { ...chain(1000), d0: { $ref: '#/$defs/d1000' } } }],
    [
      '1,800 optional members',
      { properties: Object.fromEntries(Array.from({ length: 1800 }, (_, at) => [`property${at}`, {}])) }
    ],
    ['8,000 required names', { type: 'object', required: Array.from({ length: 8000 }, (_, at) => `n${at}`) }],
    ['a huge bound', { type: 'number', minimum: -1e308, maximum: 1e308 }],
    ['a tiny bound', { type: 'number', minimum: 5e-324 }],
    ['a huge length', { type: 'string', minLength: Number.MAX_SAFE_INTEGER }],
    ['alternatives beside alternatives', crossed(12, 12)],
    ['alternatives in alternatives, each beside members', nestedAlternatives(14)],
    ['a oneOf of objects that exclude each other', { oneOf: Array.from({ length: 8 }, (_, at) => optional(at)) }],
    ['members that need each other', needy(40)],
    ['conditions in conditions', conditions(30)],
    ['not of not of not', Array.from({ length: 90 }).reduce<object>(not => ({ not }), { minLength: 1 })],
    ['not of many', { not: { anyOf: Array.from({ length: 60 }, (_, at) => optional(at)) } }],
    ['2,000 values left out', { type: 'number', not: { enum: Array.from({ length: 2000 }, (_, at) => at / 7) } }],
    ['2,000 texts left out', { type: 'string', not: { enum: Array.from({ length: 2000 }, (_, at) => `text ${at}`) } }],
    [
      '2,000 values beside a pattern',
      { enum: Array.from({ length: 2000 }, (_, at) => `text ${at}`), pattern: '(x+x+)+y' }
    ],
    [
      'many different items',
      { items: { enum: Array.from({ length: 250 }, (_, at) => at) }, uniqueItems: true, maxItems: 200 }
    ],
    ['many items to be found', { contains: { type: 'null' }, minContains: 15, maxItems: 17, items: nested(6) }],
    ['many found among a huge number', { contains: {}, minContains: 1e15, maxItems: 1e15 }],
    ['many found of any number', { contains: {}, minContains: 1e9 }],
    ['members that are counted', counted(240)],
    ['members by many forms of name', formed(40)],
    ['members by forms that take work', formed(4, '(?:x{0,40}y?){0,40}')],
    [
      'names of a form and a length',
      { propertyNames: { pattern: '^(a{0,30}b?){0,30}$', minLength: 900, maxLength: 900 } }
    ],
    [
      'allOf of itself at each level',
      { allOf: Array.from({ length: 200 }, () => ({ $ref: '#/$defs/a' })), $defs: { a: list('#') } }
    ],
    ['multiples of many large numbers', { allOf: FACTORS.map(multipleOf => ({ multipleOf })) }],
    ['a multiple of almost nothing', { multipleOf: 5e-324, maximum: 1e308 }],
    ['a huge list', { type: 'array', minItems: Number.MAX_SAFE_INTEGER, items: { type: 'array', maxItems: 1e15 } }]
  ]
  for (const [id, schema] of cases) compiled(t, id, held(schema))
  const deep = `${'['.repeat(deepest)}${']'.repeat(deepest)}`
  for (const schema of [
    deep,
    `{"const":${deep}}`,
    `{"enum":[${deep}]}`,
    `{"examples":${deep}}`,
    `{"oneOf":[{"const":${deep}},{}]}`
  ]) {
    t.equal(compiled(t, `${schema.slice(0, 12)} ${deepest} deep`, { type: 'json_schema', schema }), undefined)
  }
})

/** So many lists of so many alternatives. */
function crossed(lists: number, options: number): object {
  const anyOf = (list: number): object => ({
    anyOf: Array.from({ length: options }, (_, at) => ({ properties: { [`p${list}`]: { const: at } } }))
  })
  return { type: 'object', allOf: Array.from({ length: lists }, (_, list) => anyOf(list)) }
}

function nestedAlternatives(depth: number): object {
  if (depth === 0) return { type: 'object' }
  const one = (name: string): object => ({
    properties: { [name]: {} },
    anyOf: [nestedAlternatives(depth - 1), { required: [name] }]
  })
  return { anyOf: [one(`a${depth}`), one(`b${depth}`)].slice(0, depth > 6 ? 1 : 2) }
}

function optional(at: number): object {
  return {
    type: 'object',
    properties: { a: { minimum: at }, [`p${at}`]: { type: 'string' } },
    additionalProperties: {}
  }
}

function needy(members: number): object {
  const names = Array.from({ length: members }, (_, at) => `n${at}`)
  return { type: 'object', dependentRequired: Object.fromEntries(names.map(name => [name, names])) }
}

function conditions(depth: number): object {
  let schema: object = { type: 'object' }
  for (let at = 0; at < depth; at++) {
    schema = conditional({ properties: { [`c${at}`]: { const: at } } }, schema, { required: [`c${at}`] }) as object
  }
  return schema
}

function counted(members: number): object {
  const properties = Object.fromEntries(Array.from({ length: members }, (_, at) => [`m${at}`, { type: 'null' }]))
  return { properties, minProperties: members / 2, maxProperties: members / 2 + 10 }
}

function formed(patterns: number, pattern = 'x'): object {
  const forms = Array.from({ length: patterns }, (_, at) => [`^${'a'.repeat(at)}${pattern}`, { minimum: at }])
  return { patternProperties: Object.fromEntries(forms), additionalProperties: true }
}

/** Each names the one before. */
function chain(length: number): Record<string, object> {
  const $defs: Record<string, object> = { d0: { type: 'null' } }
  for (let at = 1; at <= length; at++) $defs[`d${at}`] = { $ref: `#/$defs/d${at - 1}` }
  return $defs
}

t.test('functions share one budget', async t => {
  const parameters = JSON.stringify({
    type: 'object',
    properties: { ['n'.repeat(2000)]: {} },
    additionalProperties: true
  })
  const functions = Array.from({ length: 100 }, (_, at) => ({ name: `f${at}`, parameters }))
  t.equal(compiled(t, 'functions', { type: 'tool_calls', functions, parallel: true }), undefined)
})

/** Strings that are held to several things at once. */
const TOGETHER: readonly object[] = [
  { pattern: '^(.{0,200}a.{0,200}){0,80}$', maxLength: 9000, minLength: 8000 },
  { pattern: '(x+x+)+y', minLength: 1000 },
  { allOf: Array.from({ length: 40 }, (_, at) => ({ pattern: `a.{${at}}b` })) },
  { allOf: Array.from({ length: 12 }, (_, at) => ({ pattern: `^(?:a{${at + 2}})+$` })), minLength: 1 },
  {
    pattern: `^${Array.from({ length: 30 }, (_, at) => `(?=.*${String.fromCodePoint(97 + (at % 26))}.{${at}})`).join('')}.*$`
  },
  { pattern: `^${'(?!.*[a-m]{3})'.repeat(200)}[a-z]*$` },
  { pattern: `^${'\\p{L}\\p{Script=Greek}'.repeat(100)}$`, maxLength: 250 },
  { format: 'uri', pattern: '[^a-z/:]{9}$', minLength: 300, maxLength: 301 },
  { pattern: '^[ab]*a[ab]{12}$', not: { pattern: '^[ab]*b[ab]{11}$' } },
  { pattern: '^(?:a|b)*a(?:a|b){14}$', minLength: 40, allOf: [{ pattern: '^(?:a|b)*b(?:a|b){14}$' }] }
]

const PATTERNS: readonly string[] = [
  '^((a{0,14}){0,14}){0,14}$',
  '^((((((a{0,14}){0,14}){0,14}){0,14}){0,14}){0,14}){0,14}$',
  '^(((((a{0,14}b?){0,14}c?){0,14}d?){0,14}e?){0,14}f?){0,14}$',
  '^((a{0,30}b?){0,30}c?){0,30}$',
  '^(.{0,200}a.{0,200}){0,80}$',
  '(x+x+)+y',
  '^(a|a)*(a|aa)*(aaa|a)*$',
  `^${'a?'.repeat(30_000)}$`,
  `^${'a'.repeat(60_000)}$`,
  `^[${Array.from({ length: 20_000 }, (_, at) => String.fromCodePoint(0x1_0000 + 2 * at)).join('')}]*$`,
  `^[${'\\W'.repeat(30_000)}]$`,
  `^[^${Array.from({ length: 20_000 }, (_, at) => String.fromCodePoint(0x1_0000 + 2 * at)).join('')}]$`,
  `${'('.repeat(30_000)}a${')'.repeat(30_000)}`,
  `^(${'a|'.repeat(30_000)}b)$`,
  '^([a-z]{1,1000}[0-9]){1,1000}$'
]

t.test('patterns are refused, or each byte of a text is worked out within the budget', async t => {
  for (const pattern of PATTERNS) {
    const id = pattern.slice(0, 40)
    const constraint = held({ type: 'string', pattern })
    if (compiled(t, id, constraint) === undefined) continue
    t.ok(['done', 'too much work'].includes(walk(new Grammar(constraint), 40, () => 0)), id)
  }
})

t.test('strings that are held to much at once are relaxed or refused, or worked out within the budget', async t => {
  for (const [at, schema] of TOGETHER.entries()) {
    const id = `${at}: ${JSON.stringify(schema).slice(0, 60)}`
    const constraint = held({ type: 'string', ...schema })
    if (compiled(t, id, constraint) === undefined) continue
    t.ok(['done', 'too much work'].includes(walk(new Grammar(constraint), 40, () => 0)), id)
  }
})

t.test('counts within counts are one count where they can be', async t => {
  const grammar = new Grammar(held({ type: 'string', pattern: '^((a{0,14}){0,14}){0,14}$' }))
  t.ok(grammar.accepts(`"${'a'.repeat(14 ** 3)}"`))
  t.notOk(grammar.accepts(`"${'a'.repeat(14 ** 3 + 1)}"`))
  const cases: readonly (readonly [string, readonly number[]])[] = [
    ['(?:a{3}){0,2}', [0, 3, 6]],
    ['(?:a{2,3}){2,3}', [4, 5, 6, 7, 8, 9]],
    ['(?:a{2,3}){1,2}', [2, 3, 4, 5, 6]],
    ['(?:a{3,4}){1,3}', [3, 4, 6, 7, 8, 9, 10, 11, 12]],
    ['(?:a{2}){3}', [6]],
    ['(?:a+){2,}', Array.from({ length: 12 }, (_, at) => at + 2)],
    ['(?:a{1,2}){0,3}', [0, 1, 2, 3, 4, 5, 6]]
  ]
  for (const [pattern, lengths] of cases) {
    const counted = new Grammar(held({ type: 'string', pattern: `^${pattern}$` }))
    const accepted = Array.from({ length: 14 }, (_, length) => length).filter(length =>
      counted.accepts(`"${'a'.repeat(length)}"`)
    )
    t.same(accepted, lengths, pattern)
  }
})

/** Goes on by bytes that `choose` picks, each with a budget of its own, until there is none, or no budget left. */
function walk(grammar: Grammar, bytes: number, choose: (options: number) => number): 'done' | 'too much work' {
  let state: GrammarState = grammar.start
  for (let count = 0; count < bytes; count++) {
    const budget = new WorkBudget('a token', { steps: TOKEN_STEPS_MAX })
    grammar.work(budget)
    try {
      const options = Array.from({ length: 256 }, (_, byte) => grammar.after(state, byte)).filter(
        next => next !== undefined
      )
      const next = options[choose(options.length)]
      if (next === undefined) return 'done'
      state = next
    } catch (error) {
      if (error instanceof MeshError && error.code === 'invalid_request') return 'too much work'
      throw error
    }
  }
  return 'done'
}

const atom = fc.constantFrom('a', 'b', '.', '\\d', '\\w', '[^a]', 'ab', 'a?', 'a*', '(?:)', '[é-ü]')
const patterns = fc.letrec<{ pattern: string }>(tie => ({
  pattern: fc.oneof(
    { maxDepth: 7, depthSize: 'medium' },
    atom,
    fc
      .tuple(tie('pattern'), fc.constantFrom('*', '+', '?', '{0,14}', '{3,90}', '{2}', '{500,1000}'))
      .map(([item, count]) => `(${item})${count}`),
    fc.tuple(tie('pattern'), tie('pattern')).map(([one, other]) => `${one}${other}`),
    fc.tuple(tie('pattern'), tie('pattern')).map(([one, other]) => `(${one}|${other})`)
  )
})).pattern

const hostileSchemas = fc.letrec<{ schema: unknown }>(tie => {
  const name = fc.oneof(
    fc.constantFrom('a', 'b', '__proto__', 'constructor'),
    fc.integer({ min: 1, max: 900 }).map(length => 'n'.repeat(length))
  )
  const members = fc.dictionary(name, tie('schema'), { maxKeys: 4 })
  const ref = fc
    .constantFrom('#', '#/$defs/a', '#/oneOf/0', '#/properties/a', '#/items', '#/anyOf/1')
    .map($ref => ({ $ref }))
  return {
    schema: fc.oneof(
      { maxDepth: 6, depthSize: 'medium' },
      ref,
      fc.constantFrom<unknown>(
        true,
        {},
        { type: 'string' },
        { type: 'integer', minimum: -3, multipleOf: 7 },
        { const: 'x'.repeat(500) }
      ),
      patterns.map(pattern => ({ type: 'string', pattern: `^${pattern}$` })),
      fc.array(tie('schema'), { minLength: 1, maxLength: 5 }).map(oneOf => ({ oneOf })),
      fc.array(tie('schema'), { minLength: 1, maxLength: 5 }).map(anyOf => ({ anyOf })),
      fc.record({ type: fc.constant('array'), items: tie('schema'), minItems: fc.nat(2000) }),
      fc.array(tie('schema'), { minLength: 1, maxLength: 5 }).map(allOf => ({ allOf })),
      fc.tuple(tie('schema'), tie('schema')).map(([not, other]) => ({ not, anyOf: [other, { type: 'object' }] })),
      fc.tuple(tie('schema'), tie('schema'), tie('schema')).map(([one, two, three]) => conditional(one, two, three)),
      fc.tuple(patterns, tie('schema'), tie('schema')).map(([pattern, value, names]) => ({
        patternProperties: { [pattern]: value },
        propertyNames: names,
        minProperties: 2
      })),
      fc.tuple(patterns, fc.nat(40), fc.nat(300)).map(([pattern, minLength, more]) => ({
        pattern: `^${pattern}$`,
        minLength,
        maxLength: minLength + more
      })),
      fc.record({ contains: tie('schema'), items: tie('schema'), minContains: fc.nat(20), uniqueItems: fc.boolean() }),
      fc
        .tuple(members, fc.boolean(), fc.constantFrom<unknown>(undefined, true))
        .map(([properties, all, additionalProperties]) => ({
          type: 'object',
          properties,
          required: all ? Object.keys(properties) : [],
          ...(additionalProperties === undefined ? {} : { additionalProperties })
        }))
    )
  }
}).schema

t.test(
  'whatever a schema looks like, it is refused or compiled within the budget, and so is every step of a text',
  async () => {
    const property = fc.property(hostileSchemas, hostileSchemas, fc.nat(), (schema, a, seed) => {
      const whole = typeof schema === 'object' ? { ...schema, $defs: { a } } : schema
      let grammar: Grammar
      try {
        grammar = new Grammar(held(whole))
      } catch (error) {
        return error instanceof MeshError && error.code === 'invalid_request'
      }
      let state = seed
      walk(grammar, 60, options => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
        return Math.floor((state / 2 ** 32) * options)
      })
      return true
    })
    assertProperty(property, { numRuns: 400 })
  }
)

t.test('a text is read to its end however deep it goes, and what is worked out is let go of', async t => {
  const grammar = new Grammar({ type: 'json_object' })
  const depth = 20_000
  t.ok(grammar.accepts(`{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`, new WorkBudget('text', { steps: 1e9 })))
  t.ok(grammar.forgotten > 0)
  t.ok(grammar.bytes < 16 * 2 ** 20, `${grammar.bytes} bytes`)
  const long = 'x'.repeat(60_000)
  const constant = new Grammar(held({ const: long }))
  t.ok(constant.accepts(JSON.stringify(long), new WorkBudget('text', { steps: 1e9 })))
  t.ok(constant.bytes < 16 * 2 ** 20, `${constant.bytes} bytes`)
  t.throws(() => grammar.accepts('{"a":[[[', new WorkBudget('text', { steps: 10 })), { code: 'invalid_request' })
  t.ok(utf8.encode(long).length === 60_000)
})
