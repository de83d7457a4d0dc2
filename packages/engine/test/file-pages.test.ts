import { realpath } from 'node:fs/promises'
import { findLibrary } from '@resultity/onnx-runtime'
import { codeMappings, memoryMappings, releaseCodePages } from '@resultity/runtime-tuning'
import t from 'tap'
import { createEngine } from '../src/index.ts'

t.test('code that is let go leaves memory and runs on', { skip: process.platform !== 'linux' }, async t => {
  await createEngine()
  const library = await realpath(findLibrary() ?? '')
  const resident = async (): Promise<number> =>
    codeMappings(await memoryMappings())
      .filter(({ path }) => path === library)
      .reduce((sum, { residentBytes }) => sum + residentBytes, 0)
  const before = await resident()
  releaseCodePages(await memoryMappings())
  const after = await resident()
  t.ok(after < before / 2, `${after} of ${before} bytes of the library`)
  t.ok(await createEngine(), 'and it is read again')
})
