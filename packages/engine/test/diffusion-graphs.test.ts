import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import {
  type DiffusionParity,
  diffusionSystems,
  isSamePicture,
  measureDiffusion,
  systemsTable
} from './diffusion-parity.ts'

const rows: DiffusionParity[] = []

for (const system of diffusionSystems) {
  t.test(`${system.system}: every block gives what diffusers gives`, async t => {
    const parity = await measureDiffusion(system)
    rows.push(parity)
    t.same(parity.left, [], 'nothing that the reference has is left out')
    for (const { name, cosine, error } of parity.figures) {
      t.ok(cosine >= 0.999999 && error < 2e-5, `${name}: cosine ${cosine}, off by ${error}`)
    }
    t.ok(isSamePicture(parity))
  })
}

t.test('the table of the documentation is the one that is printed', async t => {
  const text = await readFile(join(import.meta.dirname, '../../../../docs/systems.md'), 'utf8')
  const [, found] = /<!-- systems:begin -->\n\n(.*?)\n<!-- systems:end -->/s.exec(text) ?? []
  t.equal(found, systemsTable(rows))
})
