import { committedSystems, fetchedSystems, type SpeechParity } from './speech-parity.ts'
import { speechTable } from './speech-table.ts'

// `npm run systems`: every system that hears or speaks, beside its reference; Bark's are printed with the engine's
const rows: SpeechParity[] = []
for (const { system, measure } of [...committedSystems, ...fetchedSystems]) {
  process.stderr.write(`${system}\n`)
  const parity = await measure()
  if (parity === undefined) {
    process.stderr.write(`  not on this machine: npx resultity pull ${system} --data data/test\n`)
  } else rows.push(parity)
}
const code = rows.every(({ green }) => green) ? 0 : 1
// at once: the runtime's library ends the process with 0 when nothing is left to do
process.stdout.write(speechTable(rows), () => process.exit(code))
