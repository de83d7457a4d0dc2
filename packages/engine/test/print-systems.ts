import { barkTable, measureBark, saysAlike } from './bark-parity.ts'
import { type CaptionParity, captionsTable, describesAlike, measureCaptioning } from './caption-parity.ts'
import {
  type DiffusionParity,
  diffusionSystems,
  isSamePicture,
  measureDiffusion,
  systemsTable
} from './diffusion-parity.ts'
import { tinyBlips } from './tiny-blip.ts'

// `npm run systems`: every system that draws pictures, or describes them, and Bark, beside its reference
const rows: DiffusionParity[] = []
for (const system of diffusionSystems) {
  process.stderr.write(`${system.system}\n`)
  rows.push(await measureDiffusion(system))
}
const captions: CaptionParity[] = []
for (const blip of tinyBlips) {
  process.stderr.write(`${blip.system}\n`)
  captions.push(await measureCaptioning(blip))
}
process.stderr.write('Bark\n')
const bark = await measureBark()
const code = rows.every(isSamePicture) && captions.every(describesAlike) && saysAlike(bark) ? 0 : 1
// at once: the runtime's library ends the process with 0 when nothing is left to do
process.stdout.write(`${systemsTable(rows)}\n${captionsTable(captions)}\n${barkTable(bark)}\n`, () =>
  process.exit(code)
)
