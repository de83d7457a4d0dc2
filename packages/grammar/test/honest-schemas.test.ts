import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import t from 'tap'
import {
  ANSWER_STEPS_MAX,
  COMPILE_STEPS_MAX,
  compileBudget,
  Grammar,
  type GrammarState,
  TOKEN_STEPS_MAX,
  tokenBudget,
  WorkBudget
} from '../src/index.ts'

interface Realistic {
  readonly name: string
  readonly schema: unknown
  readonly document: unknown
}

const realistic: readonly Realistic[] = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../test/fixtures/realistic-schemas.json'), 'utf8')
)
/** Schemas of tools and responses take far less than what is allowed. */
const MARGIN = 10

t.test('schemas as people write them compile, and their documents are followed, far within the budgets', async t => {
  t.ok(realistic.length >= 40)
  for (const { name, schema, document } of realistic) {
    const compile = compileBudget()
    const grammar = new Grammar({ type: 'json_schema', schema: JSON.stringify(schema) }, 0, compile)
    t.ok(compile.spent < COMPILE_STEPS_MAX / MARGIN, `${name} compiles in ${compile.spent} steps`)
    for (const indent of [0, 2]) {
      const { accepted, most, all } = follow(grammar, JSON.stringify(document, undefined, indent))
      t.ok(accepted, name)
      t.ok(most < TOKEN_STEPS_MAX / MARGIN && all < ANSWER_STEPS_MAX / MARGIN, `${name}: ${most} steps, ${all} in all`)
    }
  }
})

/** Every byte that might come at every place, and those that come. */
function follow(grammar: Grammar, text: string): { accepted: boolean; most: number; all: number } {
  let state: GrammarState | undefined = grammar.start
  let most = 0
  let all = 0
  for (const byte of new TextEncoder().encode(text)) {
    const budget = tokenBudget()
    grammar.work(budget)
    for (let other = 0; other < 256 && state !== undefined; other++) grammar.after(state, other)
    state = state && grammar.after(state, byte)
    most = Math.max(most, budget.spent)
    all += budget.spent
  }
  return { accepted: state?.nullable === true, most, all }
}

t.test('the schemas of the JSON Schema Test Suite are refused by their keywords alone', async t => {
  const directory = join(dirname(createRequire(import.meta.url).resolve('json-schema-test-suite')), 'tests')
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.json'))
  let compiled = 0
  for (const file of files) {
    const cases: readonly { description: string; schema: unknown }[] = JSON.parse(
      readFileSync(join(directory, file), 'utf8')
    )
    for (const { description, schema } of cases) {
      const compile = compileBudget()
      try {
        new Grammar({ type: 'json_schema', schema: JSON.stringify(schema) }, 0, compile)
        compiled++
      } catch (error) {
        t.match(
          error,
          { code: 'invalid_request', message: /^(?!.*(takes more|at most|deeper|nests))/ },
          `${file}: ${description}`
        )
      }
      t.ok(compile.spent < COMPILE_STEPS_MAX / MARGIN)
    }
  }
  t.ok(compiled >= 50, `${compiled} compile`)
})

t.test('128 functions of an honest size fit', async t => {
  const functions = Array.from({ length: 128 }, (_, at) => {
    const { schema } = realistic[at % 20] ?? { schema: {} }
    return { name: `function_${at}`, parameters: JSON.stringify(schema) }
  })
  const budget = compileBudget()
  t.ok(new Grammar({ type: 'tool_calls', functions, parallel: true }, 0, budget))
  t.ok(budget.spent < COMPILE_STEPS_MAX / 2, `${budget.spent} steps`)
  t.throws(
    () => new Grammar({ type: 'tool_calls', functions, parallel: true }, 0, new WorkBudget('x', { steps: 1000 })),
    {
      code: 'invalid_request',
      details: { param: 'functions[0].parameters' }
    }
  )
})
