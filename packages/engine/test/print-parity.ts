import { createEngine } from '../src/index.ts'
import { tinyFamilyNames } from './family-model.ts'
import { isGreen, measureFamily, type Parity } from './family-parity.ts'
import { parityTable } from './parity-table.ts'
import { measureReal, realModels } from './real-parity.ts'

// `npm run families`: every family beside its reference, tiny models first; real ones where they were fetched before
const engine = await createEngine()
const rows: Parity[] = []
for (const name of await tinyFamilyNames()) {
  process.stderr.write(`${name}\n`)
  rows.push(await measureFamily(engine, name))
}
for (const model of realModels) {
  process.stderr.write(`${model.name}\n`)
  const parity = await measureReal(engine, model)
  if (parity === undefined) {
    process.stderr.write(`  not on this machine: npx resultity pull ${model.name} --data data/test\n`)
  } else rows.push(parity)
}
const code = rows.every(isGreen) ? 0 : 1
// at once: the runtime's library ends the process with 0 when nothing is left to do
process.stdout.write(parityTable(rows), () => process.exit(code))
