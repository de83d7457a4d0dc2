import { stripTypeScriptTypes } from 'node:module'
import { parse } from 'acorn'
import t from 'tap'
import { visit } from './tidy-code.ts'
import { named, packageOf, read, tests } from './tidy-sources.ts'

/** It draws the cases itself. */
const DRAWS = 'test-property'

t.test('property tests draw the same cases in every run, and as many', async t => {
  for (const path of tests) {
    if (packageOf(path) === DRAWS || named(path) === 'test/tidy-tests.test.ts') continue
    const drawn = /\bfc\.(?:assert|check|configureGlobal)\b|interruptAfterTimeLimit|Math\.random/.exec(read(path))
    if (drawn) t.fail(`${named(path)} has ${drawn[0]}: use assertProperty and testSeed of test-property`)
  }
})

t.test('a test has no time limit of its own: the one in package.json keeps a broken build from hanging', async t => {
  for (const path of tests) {
    // the whole exercise takes an hour
    if (named(path) === 'test/crash.test.ts') continue
    const limit = /^\s*(?:t\.)?test\(.*\{ timeout: .*|^\s*t\.setTimeout\(.*/m.exec(read(path))
    if (limit) t.fail(`${named(path)}: ${limit[0].trim()}`)
  }
})

t.test('a property is one assertion, not one for each case', async t => {
  for (const path of tests) {
    const text = read(path)
    if (!text.includes('fast-check')) continue
    visit(parse(stripTypeScriptTypes(text), { ecmaVersion: 'latest', sourceType: 'module' }), node => {
      const call = text.slice(node.start, node.end)
      if (node.type !== 'CallExpression' || !/^fc\.(?:async)?[pP]roperty\(/.test(call)) return
      const asserted = /\bt\.(?!test)\w+/.exec(call)
      if (asserted) t.fail(`${named(path)}: ${asserted[0]} in a property; return false or throw`)
    })
  }
})
