import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** A schema that somebody might really send, with documents to walk along. */
export interface CorpusSchema {
  readonly group: string
  readonly name: string
  /** JSON text. */
  readonly schema: string
  /** JSON texts. */
  readonly documents: readonly string[]
}

interface RealisticSchema {
  readonly group?: string
  readonly name: string
  readonly schema: unknown
  readonly document: unknown
}

interface SuiteCase {
  readonly description: string
  readonly schema: unknown
  readonly tests: readonly { readonly data: unknown; readonly valid: boolean }[]
}

/** Schemas of tools and responses, those that the libraries of clients send, and those of the JSON Schema Test Suite. */
export function readCorpus(root: string): CorpusSchema[] {
  return [
    ...readFixture(root, 'realistic-schemas.json'),
    ...readFixture(root, 'client-schemas.json'),
    ...readTestSuite()
  ]
}

function readFixture(root: string, file: string): CorpusSchema[] {
  const path = join(root, 'packages/grammar/test/fixtures', file)
  const schemas: readonly RealisticSchema[] = JSON.parse(readFileSync(path, 'utf8'))
  return schemas.map(({ group = 'clients', name, schema, document }) => ({
    group,
    name,
    schema: JSON.stringify(schema),
    documents: [JSON.stringify(document)]
  }))
}

function readTestSuite(): CorpusSchema[] {
  const directory = join(dirname(createRequire(import.meta.url).resolve('json-schema-test-suite')), 'tests')
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.json'))
  return files.toSorted().flatMap(file => {
    const cases: readonly SuiteCase[] = JSON.parse(readFileSync(join(directory, file), 'utf8'))
    return cases.map(({ description, schema, tests }) => ({
      group: 'JSON-Schema-Test-Suite',
      name: `${file}: ${description}`,
      schema: JSON.stringify(schema),
      documents: tests.filter(({ valid }) => valid).map(({ data }) => JSON.stringify(data))
    }))
  })
}
