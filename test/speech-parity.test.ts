import { readFile, writeFile } from 'node:fs/promises'
import t from 'tap'
import { committedSystems, fetchedSystems, type SpeechParity } from './speech-parity.ts'
import { speechTable } from './speech-table.ts'

const rows: SpeechParity[] = []

for (const { system, measure } of [...committedSystems, ...fetchedSystems]) {
  t.test(`${system} is as its reference`, async t => {
    const parity = await measure()
    if (parity === undefined) {
      t.pass(`${system} is not here`, { skip: `npx resultity pull ${system} --data data/test` })
      return
    }
    if (committedSystems.some(one => one.system === system)) rows.push(parity)
    t.ok(parity.green, `${parity.compared}: ${parity.figures}`)
  })
}

t.test('docs/speech.md shows the table', async t => {
  const path = new URL('../../docs/speech.md', import.meta.url)
  const text = await readFile(path, 'utf8')
  const [before = '', listed = '', after = ''] = text.split(/<!-- parity:(?:begin|end) -->\n/)
  const table = speechTable(rows)
  if (process.env.TAP_SNAPSHOT === '1') {
    await writeFile(path, `${before}<!-- parity:begin -->\n\n${table}\n<!-- parity:end -->\n${after}`)
  } else {
    const hint = 'write it anew with: npm test -- --snapshot test/dist/speech-parity.test.js'
    t.equal(cells(listed), cells(table), hint)
  }
})

/** A table without its alignment, which is the formatter's. */
function cells(table: string): string {
  return table.replaceAll(/ +/g, ' ').replaceAll(/-{3,}/g, '---').trim()
}
