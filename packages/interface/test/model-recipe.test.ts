import t from 'tap'
import { modelRecipeSchema } from '../src/model-recipe.ts'
import { safeParse } from '../src/safe-parse.ts'

const digest = { kind: 'sha256', hex: 'ab'.repeat(32) }
const file = (path: string, more: object = {}) => ({ path, bytes: 10, digest, ...more })
const recipe = (more: object = {}) => ({
  repository: 'org/model',
  commit: 'c0'.repeat(20),
  converter: 1,
  files: [file('config.json'), file('model.safetensors')],
  ...more
})

t.test(
  'a recipe names files of one commit of a repository, and nothing by which a node could be sent elsewhere',
  async t => {
    t.ok(safeParse(modelRecipeSchema, recipe()).success)
    for (const repository of [
      'model',
      'a/b/c',
      '../etc',
      'org/..',
      'https://hub.example/org/model',
      'org/model?x',
      'org/m odel',
      ''
    ]) {
      t.notOk(safeParse(modelRecipeSchema, recipe({ repository })).success, `repository ${repository}`)
    }
    for (const commit of ['main', 'C0'.repeat(20), 'c0'.repeat(19), '../../api', '']) {
      t.notOk(safeParse(modelRecipeSchema, recipe({ commit })).success, `commit ${commit}`)
    }
    for (const path of [
      '../config.json',
      'a/b.safetensors',
      '/etc/passwd',
      '.git',
      'a b',
      'a?b',
      'a%2fb',
      'a\0',
      'x'.repeat(300),
      ''
    ]) {
      t.notOk(
        safeParse(modelRecipeSchema, recipe({ files: [file('config.json'), file(path)] })).success,
        `path ${path}`
      )
    }
    for (const bytes of [0, -1, 1.5, Number.NaN, 2 ** 60]) {
      const files = [file('config.json'), file('model.safetensors', { bytes })]
      t.notOk(safeParse(modelRecipeSchema, recipe({ files })).success, `${bytes} bytes`)
    }
    t.notOk(
      safeParse(modelRecipeSchema, recipe({ files: [file('config.json'), file('config.json')] })).success,
      'twice'
    )
    t.notOk(safeParse(modelRecipeSchema, recipe({ files: [file('config.json')] })).success, 'no weights')
    const many = Array.from({ length: 2000 }, (_, at) => file(`model-${at}.safetensors`))
    t.notOk(safeParse(modelRecipeSchema, recipe({ files: many })).success, 'too many')
  }
)
