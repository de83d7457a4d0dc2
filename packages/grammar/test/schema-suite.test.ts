import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { MeshError } from '@resultity/interface'
import { Ajv, type ValidateFunction } from 'ajv'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { Ajv2020 } from 'ajv/dist/2020.js'
import t from 'tap'
import { checkConstraint, compileBudget, Grammar } from '../src/index.ts'
import { randomText } from './random-text.ts'

interface Sample {
  readonly name: string
  readonly schema: unknown
  /** Values that are not valid. */
  readonly wrong: readonly unknown[]
}

const options = {
  strict: false,
  validateFormats: false,
  validateSchema: false,
  multipleOfPrecision: 9,
  ownProperties: true,
  // schemas of the suite share ids
  addUsedSchema: false
}
const early = new Ajv(options)
const drafts = {
  draft4: early,
  draft6: early,
  draft7: early,
  'draft2019-09': new Ajv2019(options),
  'draft2020-12': new Ajv2020(options)
}
type Draft = keyof typeof drafts
const TEXTS = 8

/** Up to draft 4; the library that brings it has no later ones. */
function earlySuite(draft: Draft): readonly Sample[] {
  const root = dirname(createRequire(import.meta.url).resolve('json-schema-test-suite'))
  const directory = join(root, 'tests', draft)
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.json'))
  // what is wrong with 1.0 is lost when it is read: it is a 1
  const read = files.filter(file => !file.endsWith('zeroTerminatedFloats.json'))
  return read.toSorted().flatMap(file => {
    const cases: readonly { description: string; schema: unknown; tests: { data: unknown; valid: boolean }[] }[] =
      JSON.parse(readFileSync(join(directory, file), 'utf8'))
    return cases.map(({ description, schema, tests }) => ({
      name: `${file}: ${description}`,
      schema,
      wrong: tests.filter(({ valid }) => !valid).map(({ data }) => data)
    }))
  })
}

/** What only some implementations assert, and what is here, as in most drafts, an annotation. */
const ANNOTATIONS = /^optional\/(?:content|format\/(?:idn-hostname|regex))\.json/

/** The drafts behind it. */
function lateSuite(draft: Draft): readonly Sample[] {
  const samples: readonly Sample[] = JSON.parse(readFileSync(join(fixtures, 'schema-suite.json'), 'utf8'))[draft]
  return samples.filter(({ name }) => !ANNOTATIONS.test(name))
}

const fixtures = join(import.meta.dirname, '../../test/fixtures')

function fixture(name: string): readonly (Sample & { readonly document: unknown })[] {
  const samples: readonly { name: string; schema: unknown; document: unknown }[] = JSON.parse(
    readFileSync(join(fixtures, name), 'utf8')
  )
  return samples.map(sample => ({ ...sample, wrong: [] }))
}

/** Up to draft 4 a limit was left out by a flag. */
function withoutFlags(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutFlags)
  if (typeof schema !== 'object' || schema === null) return schema
  const { exclusiveMinimum, exclusiveMaximum, ...rest } = schema as Record<string, unknown>
  if (typeof rest.id === 'string') delete rest.id
  const whole = Object.fromEntries(Object.entries(rest).map(([name, inner]) => [name, withoutFlags(inner)]))
  return {
    ...whole,
    ...(exclusiveMinimum === undefined || exclusiveMinimum === false
      ? {}
      : { exclusiveMinimum: exclusiveMinimum === true ? rest.minimum : exclusiveMinimum }),
    ...(exclusiveMaximum === undefined || exclusiveMaximum === false
      ? {}
      : { exclusiveMaximum: exclusiveMaximum === true ? rest.maximum : exclusiveMaximum })
  }
}

type Outcome = 'held' | 'relaxed' | 'refused'

function outcomeOf(source: string): Outcome {
  try {
    return checkConstraint({ type: 'json_schema', schema: source }, undefined, compileBudget()).length === 0
      ? 'held'
      : 'relaxed'
  } catch (error) {
    if (error instanceof MeshError && error.code === 'invalid_request') return 'refused'
    throw error
  }
}

/** Undefined where chance finds no end, for example of a list that needs an item which is rarely drawn. */
function someText(grammar: Grammar, seed: number): string | undefined {
  try {
    return randomText(grammar, seed)
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('no end')) return undefined
    throw error
  }
}

/** What is allowed and should not be, for a schema that is held to. */
function wrongTexts(source: string, { wrong }: Sample, validate: ValidateFunction | undefined): readonly string[] {
  const grammar = new Grammar({ type: 'json_schema', schema: source })
  const accepted = wrong.map(value => JSON.stringify(value)).filter(text => grammar.accepts(text))
  const texts = Array.from({ length: TEXTS }, (_, seed) => someText(grammar, seed)).filter(text => text !== undefined)
  return [...accepted, ...texts.filter(text => validate?.(JSON.parse(text)) === false)]
}

/** The other validator forgets what an `if` without `then` has evaluated. */
const FORGOTTEN = 'unevaluatedProperties.json: unevaluatedProperties with if/then/else, then not defined'

/** Undefined for a schema that the other validator cannot read, or reads wrong: only the suite's own values are left. */
function validatorOf({ name, schema }: Sample, draft: Draft): ValidateFunction | undefined {
  if (name === FORGOTTEN) return undefined
  try {
    return drafts[draft].compile((draft === 'draft4' ? withoutFlags(schema) : schema) as object | boolean)
  } catch {
    return undefined
  }
}

function measure(samples: readonly Sample[], draft: Draft) {
  const counts: Record<Outcome, number> = { held: 0, relaxed: 0, refused: 0 }
  const faults: string[] = []
  for (const sample of samples) {
    const source = JSON.stringify(sample.schema)
    const outcome = outcomeOf(source)
    counts[outcome]++
    if (outcome !== 'held') continue
    const wrong = wrongTexts(source, sample, validatorOf(sample, draft))
    if (wrong.length > 0) faults.push(`${sample.name}: ${wrong.join(' ')}`)
  }
  return { counts, faults }
}

const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')

const sets: readonly (readonly [title: string, samples: readonly Sample[], draft: Draft])[] = [
  ['tools and responses as people write them', fixture('realistic-schemas.json'), 'draft2020-12'],
  ['what the libraries of clients send', fixture('client-schemas.json'), 'draft2020-12'],
  ['JSON Schema Test Suite, draft 4', earlySuite('draft4'), 'draft4'],
  ['JSON Schema Test Suite, draft 6', lateSuite('draft6'), 'draft6'],
  ['JSON Schema Test Suite, draft 7', lateSuite('draft7'), 'draft7'],
  ['JSON Schema Test Suite, 2019-09', lateSuite('draft2019-09'), 'draft2019-09'],
  ['JSON Schema Test Suite, 2020-12', lateSuite('draft2020-12'), 'draft2020-12']
]

for (const [title, samples, draft] of sets) {
  t.test(`${title}: what is held to is never broken, and the README counts it`, async t => {
    const { counts, faults } = measure(samples, draft)
    t.same(faults, [])
    const row = readme.split('\n').find(line => line.startsWith(`| ${title}`)) ?? ''
    const said = row
      .split('|')
      .map(cell => cell.trim())
      .slice(2, 6)
    const counted = [samples.length, counts.held, counts.relaxed, counts.refused].map(String)
    t.same(said, counted, 'held to, relaxed or refused by name, without a document')
  })
}

t.test('documents as clients expect them are taken', async t => {
  for (const { name, schema, document } of fixture('client-schemas.json')) {
    const grammar = new Grammar({ type: 'json_schema', schema: JSON.stringify(schema) })
    for (const indent of [0, 2]) t.ok(grammar.accepts(JSON.stringify(document, undefined, indent)), name)
  }
})
