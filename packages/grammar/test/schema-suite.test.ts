import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { MeshError } from '@resultity/interface'
import { Ajv, type ValidateFunction } from 'ajv'
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

const options = { strict: false, validateFormats: false, validateSchema: false, multipleOfPrecision: 9 }
const drafts = { 4: new Ajv(options), 2020: new Ajv2020(options) }
const TEXTS = 8

function suiteOf(draft: string): readonly Sample[] {
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

function fixture(name: string): readonly (Sample & { readonly document: unknown })[] {
  const path = join(import.meta.dirname, '../../test/fixtures', name)
  const samples: readonly { name: string; schema: unknown; document: unknown }[] = JSON.parse(
    readFileSync(path, 'utf8')
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

/** What is allowed and should not be, for a schema that is held to. */
function wrongTexts(source: string, { wrong }: Sample, validate: ValidateFunction): readonly string[] {
  const grammar = new Grammar({ type: 'json_schema', schema: source })
  const accepted = wrong.map(value => JSON.stringify(value)).filter(text => grammar.accepts(text))
  const texts = Array.from({ length: TEXTS }, (_, seed) => randomText(grammar, seed))
  return [...accepted, ...texts.filter(text => !validate(JSON.parse(text)))]
}

function measure(samples: readonly Sample[], draft: keyof typeof drafts) {
  const counts: Record<Outcome, number> = { held: 0, relaxed: 0, refused: 0 }
  const faults: string[] = []
  for (const sample of samples) {
    const source = JSON.stringify(sample.schema)
    const outcome = outcomeOf(source)
    counts[outcome]++
    if (outcome !== 'held') continue
    const validate = drafts[draft].compile(withoutFlags(sample.schema) as object | boolean)
    const wrong = wrongTexts(source, sample, validate)
    if (wrong.length > 0) faults.push(`${sample.name}: ${wrong.join(' ')}`)
  }
  return { counts, faults }
}

const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')

const sets: readonly (readonly [title: string, samples: readonly Sample[], draft: keyof typeof drafts])[] = [
  ['tools and responses as people write them', fixture('realistic-schemas.json'), 2020],
  ['what the libraries of clients send', fixture('client-schemas.json'), 2020],
  ['JSON Schema Test Suite, draft 4', suiteOf('draft4'), 4]
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
