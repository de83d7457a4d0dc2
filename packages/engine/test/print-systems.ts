import {
  type DiffusionParity,
  diffusionSystems,
  isSamePicture,
  measureDiffusion,
  systemsTable
} from './diffusion-parity.ts'

// `npm run systems`: every system that draws pictures beside its reference
const rows: DiffusionParity[] = []
for (const system of diffusionSystems) {
  process.stderr.write(`${system.system}\n`)
  rows.push(await measureDiffusion(system))
}
const code = rows.every(isSamePicture) ? 0 : 1
// at once: the runtime's library ends the process with 0 when nothing is left to do
process.stdout.write(systemsTable(rows), () => process.exit(code))
