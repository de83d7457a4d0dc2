import { openSync } from 'node:fs'
import { MeshError, systemScheduler } from '@resultity/interface'
import { AacWriter } from '../../src/ffmpeg/aac-writer.ts'

// opens all files that it may, then starts a program; says what that threw, and goes on living

// what writes to a terminal or a pipe has to be there before
process.stdout.write('')

try {
  for (;;) openSync('/dev/null', 'r')
} catch {
  // there is no room for another
}

let said = 'it was started'
try {
  new AacWriter({ program: '/bin/true', rate: 16_000, scheduler: systemScheduler })
} catch (error) {
  const { code, message } = MeshError.from(error)
  said = `${code}: ${message}`
}
setImmediate(() => process.stdout.write(said))
