import { openAiErrors } from '@resultity/test-api'
import { Validator } from '@seriousme/openapi-schema-validator'
import t from 'tap'
import { startScriptedMesh } from './support/scripted-mesh.ts'

const mesh = await startScriptedMesh(0)
t.teardown(() => mesh[Symbol.asyncDispose]())
const { httpUrl } = mesh.coordinator
const document = await (await fetch(`${httpUrl}/openapi.json`)).json()

t.test('the API document is valid OpenAPI 3.1, and nothing in it is out of place', async t => {
  const { valid, errors } = await new Validator().validate(structuredClone(document))
  t.ok(valid, JSON.stringify(errors))
  t.equal(document.openapi, '3.1.0')
  const text = JSON.stringify(document)
  for (const [, name = ''] of text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)) {
    t.ok(document.components.schemas[name], `${name} is there`)
  }
  t.same([...text.matchAll(/"\$ref":"(?!#\/components\/schemas\/)/g)], [], 'every reference is to a component')
})

t.test('every operation says what clients and readers need', async t => {
  const operations = Object.entries<Record<string, Operation>>(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, path, ...operation }))
  )
  const ids = operations.map(({ operationId }) => operationId)
  t.same(ids.length, new Set(ids).size, 'operations have names of their own')
  for (const { name, path, summary, tags, parameters = [], responses } of operations) {
    t.match(summary, /^[A-Z].*\.$/s, `${name} is described by a sentence`)
    t.equal(tags.length, 1, name)
    const inPath = parameters.filter(parameter => parameter.in === 'path').map(parameter => `{${parameter.name}}`)
    t.same(inPath, path.match(/\{\w+\}/g) ?? [], `${name} describes its parameters`)
    const good = Object.keys(responses).filter(status => Number(status) < 300)
    const refused = Object.keys(responses).every(status => status === '501')
    t.ok(good.length > 0 || refused, `${name} can succeed, or says that it is not served`)
    for (const [status, answer] of Object.entries(responses)) {
      t.ok(answer.headers['x-request-id'], `${name} ${status} names its requests`)
    }
  }
})

interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly tags: readonly string[]
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
  readonly responses: Readonly<Record<string, { readonly headers: Readonly<Record<string, unknown>> }>>
}

t.test('every GET without parameters answers as described when there is no node yet', async t => {
  for (const [path, methods] of Object.entries<object>(document.paths)) {
    if (!('get' in methods) || path.includes('{')) continue
    const response = await fetch(`${httpUrl}${path}`)
    const text = await response.text()
    t.not(response.status, 500, path)
    if (!response.ok) t.same(openAiErrors('ErrorResponse', JSON.parse(text)), [], path)
  }
})
