import { readFile, writeFile } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { createEngine } from '../src/index.ts'
import { tinyFamilyNames } from './family-model.ts'
import { COSINE_MIN, measureFamily, type Parity, QUANTIZED_COSINE_MIN } from './family-parity.ts'
import { parityTable } from './parity-table.ts'
import { measureReal, realModels } from './real-parity.ts'

const engine = await createEngine()
const rows: Parity[] = []

for (const name of await tinyFamilyNames()) {
  t.test(name, async t => {
    const parity = await measureFamily(engine, name)
    rows.push(parity)
    checkLogitsAndCuts(t, parity)
    for (const { medianCosine, medianMin } of Object.values(parity.rounded ?? {})) {
      t.ok(medianCosine >= medianMin, `rounded by an import: cosine ${medianCosine}, at least ${medianMin}`)
    }
    const { gguf } = parity
    if (gguf === undefined) return
    t.same(gguf.differences, [], 'a GGUF is the same model')
    t.ok(gguf.quantizedCosine >= QUANTIZED_COSINE_MIN, `in Q8_0 nearly the same: cosine ${gguf.quantizedCosine}`)
    t.ok(gguf.quantizedSameBits, 'in Q8_0 the same bits where it is cut')
  })
}

t.test('docs/families.md shows the table', async t => {
  const path = new URL('../../../../docs/families.md', import.meta.url)
  const text = await readFile(path, 'utf8')
  const [before = '', listed = '', after = ''] = text.split(/<!-- parity:(?:begin|end) -->\n/)
  const table = parityTable(rows)
  if (process.env.TAP_SNAPSHOT === '1') {
    await writeFile(path, `${before}<!-- parity:begin -->\n\n${table}\n<!-- parity:end -->\n${after}`)
  } else {
    const hint = 'write it anew with: npm test -- --snapshot packages/engine/dist/test/families.test.js'
    t.equal(cells(listed), cells(table), hint)
  }
})

for (const model of realModels) {
  t.test(`${model.name}, real weights`, async t => {
    const parity = await measureReal(engine, model)
    if (parity === undefined)
      t.pass(`${model.name} is not here`, { skip: `npx resultity pull ${model.name} --data data/test` })
    else checkLogitsAndCuts(t, parity)
  })
}

function checkLogitsAndCuts(t: Test, { cosine, wrong, otherBits, positions, cuts }: Parity): void {
  t.ok(cosine >= COSINE_MIN, `${positions} positions: cosines with transformers from ${cosine}`)
  t.same(wrong, [], 'the same best tokens')
  t.same(otherBits, [], `the same bits in ${cuts} ways to cut it`)
}

/** A table without its alignment, which is the formatter's, and without what processors round differently. */
function cells(table: string): string {
  return table
    .replaceAll(/ +/g, ' ')
    .replaceAll(/-{3,}/g, '---')
    .replaceAll(/≥ \d\.\d{3}, /g, '')
    .trim()
}
