import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import type { GgufContent, GgufEntry } from '@resultity/formats'
import t, { type Test } from 'tap'
import { openGguf } from '../src/import/gguf-source.ts'
import { fetchModel, importModel, parseModelReference } from '../src/index.ts'
import { chooseHubFiles } from '../src/sources/hub-files.ts'
import { startFakeHub } from './sources-fixtures.ts'
import { ggufBytes, tinyGguf, withMetadata } from './tiny-models.ts'

const number = (value: number): GgufEntry => ({ type: 'u32', value })

/** A tiny model in three files, as llama.cpp splits one: only the first has the metadata. */
function parts(changes: Record<string, GgufEntry | undefined> = {}): GgufContent[] {
  const whole = tinyGguf()
  const third = Math.ceil(whole.tensors.length / 3)
  return [0, 1, 2].map(index => {
    const tensors = whole.tensors.slice(index * third, (index + 1) * third)
    const split = {
      'split.no': number(index),
      'split.count': number(3),
      'split.tensors.count': number(whole.tensors.length),
      ...changes
    }
    return withMetadata(index === 0 ? { ...whole, tensors } : { metadata: {}, tensors }, split)
  })
}

const nameOf = (index: number): string => `tiny-0000${index + 1}-of-00003.gguf`

async function folder(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'resultity-split-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  return directory
}

async function write(t: Test, contents: readonly GgufContent[]): Promise<string> {
  const directory = await folder(t)
  for (const [index, content] of contents.entries()) await writeFile(join(directory, nameOf(index)), ggufBytes(content))
  return directory
}

t.test('a model in several files is imported by the path of any, and is what it is in one', async t => {
  const directory = await write(t, parts())
  await writeFile(join(directory, 'tiny.gguf'), ggufBytes(tinyGguf()))
  const dataDir = await folder(t)
  await using store = await FileBlobStore.open(dataDir)
  const run = (name: string) => importModel(parseModelReference(`file:${join(directory, name)}`), { dataDir, store })
  const whole = await run('tiny.gguf')
  t.equal(whole.manifest.name, 'tiny')
  for (const index of [0, 1, 2]) t.equal((await run(nameOf(index))).manifestSha256, whole.manifestSha256, nameOf(index))

  const parted = join(directory, 'parted')
  await mkdir(parted)
  for (const index of [0, 1, 2]) await copyFile(join(directory, nameOf(index)), join(parted, nameOf(index)))
  const inFolder = await run('parted')
  t.same({ ...inFolder.manifest, name: 'tiny' }, whole.manifest, 'a folder that holds nothing else is that model')
  await writeFile(join(parted, 'other.gguf'), 'GGUF')
  await t.rejects(run('parted'), { code: 'model_invalid', hint: /Name one of its GGUF files: other\.gguf, tiny-00001/ })

  await writeFile(join(directory, nameOf(2)), 'GGUF')
  await t.rejects(run(nameOf(0)), { code: 'model_invalid', message: /00003-of-00003/ }, 'another file, another import')
})

t.test('a part that is missing, or is not what its name says, is named', async t => {
  const missing = await write(t, parts())
  await rm(join(missing, nameOf(1)))
  for (const index of [0, 2]) {
    t.throws(() => openGguf(join(missing, nameOf(index))), {
      code: 'model_invalid',
      message: /of the 3 parts .* 1 are not there: tiny-00002-of-00003\.gguf$/,
      hint: /all parts into one folder/
    })
  }
  const dataDir = await folder(t)
  await using store = await FileBlobStore.open(dataDir)
  await rm(join(missing, nameOf(0)))
  await t.rejects(
    importModel(parseModelReference(`file:${join(missing, nameOf(2))}`), { dataDir, store }),
    { code: 'model_invalid', message: /tiny-00001-of-00003\.gguf, tiny-00002-of-00003\.gguf/ },
    'the first, too, has what the others need'
  )

  const [first, second, third] = parts()
  if (first === undefined || second === undefined || third === undefined) throw new Error('three parts')
  const swapped = await write(t, [first, third, second])
  t.throws(() => openGguf(join(swapped, nameOf(0))), {
    message: /tiny-00002-of-00003\.gguf: is part 3 of 3 by its header, and part 2 of 3 by its name/
  })
  const twice = await write(t, [first, { ...second, tensors: [...second.tensors, ...first.tensors] }, third])
  t.throws(() => openGguf(join(twice, nameOf(0))), {
    message: /tensor ".*" stands in tiny-00001-of-00003\.gguf as well/
  })
  const mixed = await write(t, parts({ 'split.tensors.count': number(99) }))
  t.throws(() => openGguf(join(mixed, nameOf(0))), { message: /have \d+ tensors, and split\.tensors\.count is 99/ })
  const wild = await write(t, parts({ 'split.count': number(70_000) }))
  t.throws(() => openGguf(join(wild, nameOf(0))), { message: /split\.count is 70000/ })

  const renamed = await folder(t)
  await writeFile(join(renamed, 'tiny.gguf'), ggufBytes(first))
  t.throws(() => openGguf(join(renamed, 'tiny.gguf')), { message: /one of 3 parts .* its name does not say which/ })
  const whole = await folder(t)
  await writeFile(join(whole, nameOf(1)), ggufBytes(tinyGguf()))
  openGguf(join(whole, nameOf(1)))[Symbol.dispose]()
  t.pass('a name alone makes no part of a whole file')
})

t.test('the hub gives all parts, whichever is named', async t => {
  const files = Object.fromEntries(parts().map((part, index) => [`q8/${nameOf(index)}`, ggufBytes(part)]))
  const dataDir = await folder(t)
  const reference = parseModelReference(`hf:org/repo:q8/${nameOf(1)}`)
  {
    await using hub = await startFakeHub('org/repo', files)
    const { path } = await fetchModel(reference, { dataDir, hub: { hubUrl: hub.url, retryMs: 1 } })
    t.match(path, /q8\/tiny-00001-of-00003\.gguf$/)
    t.same(await readFile(path.replace('00001-of', '00003-of')), Buffer.from(files[`q8/${nameOf(2)}`] ?? []))
    openGguf(path)[Symbol.dispose]()
  }
  const offline = { dataDir, hub: { hubUrl: 'http://127.0.0.1:1', retryMs: 1 } }
  t.match((await fetchModel(reference, offline)).path, /00001-of-00003/, 'and is not asked again')

  const choose = (...paths: string[]) =>
    chooseHubFiles(
      'hf:x/y',
      paths.map(path => ({ type: 'file', path, size: 1 })),
      undefined
    )
  const all = [0, 1, 2].map(nameOf)
  t.same(choose(...all, 'README.md').model, all[0], 'parts of one model are one')
  t.throws(() => choose(...all, 'other.gguf'), { code: 'model_not_found', message: /several GGUF files/ })
  t.throws(() => choose(nameOf(0), nameOf(2)), { message: /of the 3 parts .* 1 are not there: tiny-00002-of-00003/ })
})
